import { crc32c } from '@node-rs/crc32'
import { CorruptDataError } from '../errors.ts'
import type { File, FileSystem } from '../io/index.ts'
import type { Disk } from './disk.ts'
import { errnoOf, readFully, sizeOf } from './transfer.ts'

/** The whole content of a small file; `undefined` when there is none. */
export async function readSmallFile(
  fileSystem: FileSystem,
  path: string,
): Promise<Buffer | undefined> {
  const file = await openIfThere(fileSystem, path)
  if (file === undefined) return undefined
  try {
    const bytes = Buffer.alloc(await sizeOf(file))
    return bytes.subarray(0, await readFully(file, bytes, 0))
  } finally {
    await file.close()
  }
}

async function openIfThere(fileSystem: FileSystem, path: string): Promise<File | undefined> {
  try {
    return await fileSystem.open(path, 'read')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Replaces a small file as a whole: after a crash at any moment the old or the new content is there.
 * Resolves when the new one is durable.
 *
 * @throws UnavailableError DISK_FULL: the old content stands.
 */
export async function replaceFile(disk: Disk, path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`
  await disk.attempt(`replace ${path}`, async () => {
    const file = await disk.fileSystem.open(temporary, 'create')
    try {
      await file.truncate(0)
      await disk.write(file, content, 0)
      await disk.sync(file)
    } finally {
      await file.close()
    }
    await disk.fileSystem.rename(temporary, path)
    await disk.syncDirectory(path.slice(0, path.lastIndexOf('/')))
  })
}

/** A value as JSON below a line with its CRC32C, so that a flipped bit cannot go unnoticed. */
export function encodeChecked(value: unknown): Buffer {
  const json = `${JSON.stringify(value, undefined, 1)}\n`
  return Buffer.from(`crc32c ${crcText(Buffer.from(json))}\n${json}`)
}

/**
 * The value that {@link encodeChecked} encoded.
 *
 * @throws CorruptDataError CORRUPT_DATA naming the file.
 */
export function decodeChecked(bytes: Uint8Array, path: string): unknown {
  const newline = bytes.indexOf(0x0a)
  const json = Buffer.from(bytes.subarray(newline + 1))
  const stated = Buffer.from(bytes.subarray(0, Math.max(newline, 0))).toString('latin1')
  if (stated !== `crc32c ${crcText(json)}`) {
    throw damagedFile(path, 'its checksum does not match')
  }
  return JSON.parse(json.toString()) as unknown
}

function crcText(bytes: Uint8Array): string {
  return crc32c(bytes).toString(16).padStart(8, '0')
}

/** The error for a metadata file that cannot be what was written. */
export function damagedFile(path: string, fault: string, position = 0): CorruptDataError {
  return new CorruptDataError(
    'CORRUPT_DATA',
    `${path} is damaged: ${fault}. Nothing was changed; restore this file from a backup.`,
    { facts: { file: path, position, fault } },
  )
}
