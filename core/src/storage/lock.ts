import { UsageError } from '../errors.ts'
import type { FileLock, FileSystem } from '../io/index.ts'
import type { Disk } from './disk.ts'
import { readSmallFile } from './checkpoint.ts'
import { writeFully } from './transfer.ts'

/** Name of the file whose kernel lock makes one process the owner of a data directory. */
export const LOCK_FILE = '.lock'

/**
 * Takes a data directory for writing until released or until the process ends.
 *
 * @param owner What the error tells others.
 * @throws UsageError DATA_DIRECTORY_IN_USE naming the owner.
 */
export async function lockDirectory(
  disk: Disk,
  owner: { readonly pid: number; readonly host: string; readonly sinceMs: number },
): Promise<FileLock> {
  const { directory, fileSystem } = disk
  const path = `${directory}/${LOCK_FILE}`
  const file = await disk.attempt(`lock ${path}`, () => fileSystem.open(path, 'create'))
  try {
    const lock = await fileSystem.tryLock(path)
    if (lock === undefined) throw await inUse(fileSystem, directory)
    try {
      await disk.attempt(`write ${path}`, async () => {
        await file.truncate(0)
        await writeFully(file, Buffer.from(`${JSON.stringify(owner)}\n`), 0)
      })
    } catch (error) {
      await lock.release()
      throw error
    }
    return lock
  } finally {
    await file.close()
  }
}

async function inUse(fileSystem: FileSystem, directory: string): Promise<UsageError> {
  const owner = ownerOf(await readSmallFile(fileSystem, `${directory}/${LOCK_FILE}`))
  return new UsageError(
    'DATA_DIRECTORY_IN_USE',
    `Data directory ${directory} is in use by ${owner}. Stop that process first, or open it with access "read-only".`,
    { facts: { directory, owner } },
  )
}

/** What the owner wrote about itself; it may be writing it just now. */
function ownerOf(bytes: Uint8Array | undefined): string {
  try {
    const { pid, host } = JSON.parse(Buffer.from(bytes ?? []).toString()) as Record<string, unknown>
    return `process ${String(pid)} on ${String(host)}`
  } catch {
    return 'another process'
  }
}
