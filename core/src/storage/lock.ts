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
    if (lock === undefined) throw await inUse(fileSystem, directory, owner)
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

async function inUse(
  fileSystem: FileSystem,
  directory: string,
  us: Parameters<typeof lockDirectory>[1],
): Promise<UsageError> {
  const owner = ownerOf(await readSmallFile(fileSystem, `${directory}/${LOCK_FILE}`))
  const isOurs = owner === nameOf(us)
  const free = isOurs ? 'Close that log, or share it' : 'Stop that process first'
  return new UsageError(
    'DATA_DIRECTORY_IN_USE',
    `Data directory ${directory} is in use by ${owner}${isOurs ? ', which is this one' : ''}. ${free}; ` +
      'or only read, with access "read-only" (so does millrace consume without --group).',
    { facts: { directory, owner } },
  )
}

function nameOf({ pid, host }: { readonly pid: unknown; readonly host: unknown }): string {
  return `process ${String(pid)} on ${String(host)}`
}

/** What the owner wrote about itself; it may be writing it just now. */
function ownerOf(bytes: Uint8Array | undefined): string {
  try {
    return nameOf(
      JSON.parse(Buffer.from(bytes ?? []).toString()) as { pid: unknown; host: unknown },
    )
  } catch {
    return 'another process'
  }
}
