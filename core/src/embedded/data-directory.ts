import { CorruptDataError } from '../errors.ts'
import type { FileLock, FileSystem, Ports } from '../io/index.ts'
import {
  damagedFile,
  decodeChecked,
  encodeChecked,
  readSmallFile,
  replaceFile,
} from '../storage/checkpoint.ts'
import type { Disk } from '../storage/disk.ts'
import { lockDirectory } from '../storage/lock.ts'
import { REGISTRY_FILE } from './topic-registry.ts'

/** Name of the file that says what a data directory is and who may read it. */
export const META_FILE = 'meta.json'

/** The format that this version writes, and the newest it reads. */
const FORMAT = 1

/** What {@link META_FILE} says. */
export interface DataDirectoryMeta {
  readonly format: number
  /** Oldest format a reader must know. */
  readonly minReader: number
  readonly features: readonly string[]
  /** UUID of the log. */
  readonly logId: string
}

/**
 * Reads a data directory's description; `undefined` when there is none.
 *
 * @throws CorruptDataError CORRUPT_DATA, FORMAT_TOO_NEW.
 */
export async function readMeta(
  fileSystem: FileSystem,
  root: string,
): Promise<DataDirectoryMeta | undefined> {
  const path = `${root}/${META_FILE}`
  const bytes = await readSmallFile(fileSystem, path)
  if (bytes === undefined) return undefined
  const meta = decodeChecked(bytes, path) as DataDirectoryMeta
  if (typeof meta.logId !== 'string') throw damagedFile(path, 'it names no log')
  if (meta.minReader > FORMAT) {
    throw new CorruptDataError(
      'FORMAT_TOO_NEW',
      `${root} was written by a newer Millrace (its format ${meta.format} needs a reader of format ${meta.minReader}; ` +
        `this one reads up to ${FORMAT}). Nothing was changed; use the newer version.`,
      { facts: { directory: root, format: meta.format, minReader: meta.minReader } },
    )
  }
  return meta
}

/** Takes a data directory for this process, and makes it when there is none. */
export async function claimDirectory(
  ports: Ports,
  disk: Disk,
  owner: { readonly pid: number; readonly host: string },
): Promise<{ lock: FileLock; meta: DataDirectoryMeta }> {
  await makeDirectories(disk, disk.directory)
  const lock = await lockDirectory(disk, { ...owner, sinceMs: ports.clock.nowMs() })
  try {
    return { lock, meta: await readOrMakeMeta(ports, disk) }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function makeDirectories(disk: Disk, path: string): Promise<void> {
  if ((await disk.fileSystem.stat(path)) !== undefined) return
  await makeDirectories(disk, parentOf(path))
  await disk.attempt(`create ${path}`, () => disk.fileSystem.makeDirectory(path))
  await disk.syncDirectory(parentOf(path))
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '.' : path.slice(0, slash) || '/'
}

async function readOrMakeMeta(ports: Ports, disk: Disk): Promise<DataDirectoryMeta> {
  const root = disk.directory
  const path = `${root}/${META_FILE}`
  const found = await readMeta(disk.fileSystem, root)
  const isUsed = (await disk.fileSystem.stat(`${root}/${REGISTRY_FILE}`)) !== undefined
  if (isUsed && found !== undefined) return found
  // Its absence must never be taken for emptiness where there are topics.
  if (isUsed) throw damagedFile(path, `it is missing, yet ${REGISTRY_FILE} is there`)
  const fresh = { format: FORMAT, minReader: FORMAT, features: [], logId: ports.random.uuid() }
  // After a first opening that failed, the directory and the file may be here and yet not be durable.
  await disk.syncDirectory(parentOf(root))
  const meta = found ?? fresh
  await replaceFile(disk, path, encodeChecked(meta))
  return meta
}
