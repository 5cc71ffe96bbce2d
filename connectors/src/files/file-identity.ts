import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { UsageError } from '@millrace/core'
import type { Json } from '@millrace/processors'
import { openFailed, unreadable } from './input-error.ts'

/** What a position was made for: a file that differs in any of these is another file. */
export type FileIdentity = {
  readonly sizeBytes: number
  readonly mtimeMs: number
  /** SHA-256 over the first and last 64 KiB, shortened to 128 bits, hexadecimal. */
  readonly endsHash: string
}

const END_BYTES = 64 * 1024

/**
 * Opens a regular file for reading.
 *
 * @throws UsageError INPUT_UNREADABLE: missing, not readable, or a directory.
 */
export async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    throw openFailed(path, error)
  }
  const stat = await file.stat()
  if (stat.isFile()) return file
  await file.close()
  throw unreadable(path, 'not a regular file', 'Name a file; pipes cannot be resumed.')
}

/** Reads a file's size, time of change and ends. */
export async function identifyFile(file: FileHandle): Promise<FileIdentity> {
  const { size, mtimeMs } = await file.stat()
  const hash = createHash('sha256')
  const headBytes = Math.min(size, END_BYTES)
  hash.update(await readExactly(file, 0, headBytes))
  if (size > headBytes) {
    const tailBytes = Math.min(size - headBytes, END_BYTES)
    hash.update(await readExactly(file, size - tailBytes, tailBytes))
  }
  const endsHash = hash.digest('hex').slice(0, 32)
  return { sizeBytes: size, mtimeMs: Math.floor(mtimeMs), endsHash }
}

/** Reads `length` bytes at `position`; fewer when the file ends before. */
export async function readExactly(
  file: FileHandle,
  position: number,
  length: number,
): Promise<Buffer<ArrayBuffer>> {
  const into = Buffer.from(new ArrayBuffer(length))
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(into, filled, length - filled, position + filled)
    if (bytesRead === 0) return into.subarray(0, filled)
    filled += bytesRead
  }
  return into
}

/**
 * Compares the file a stored position was made for with the one at hand.
 *
 * @throws UsageError INPUT_CHANGED when they differ: rows would be skipped or doubled.
 */
export function refuseChangedFile(
  path: string,
  stored: { readonly file: FileIdentity; readonly rows?: number },
  now: FileIdentity,
): void {
  const difference = describeDifference(stored.file, now)
  if (difference === undefined) return
  const { rows } = stored
  const instead =
    rows === undefined
      ? ''
      : `; or put what follows the first ${rows} rows, which were read, into another file and read that`
  throw new UsageError(
    'INPUT_CHANGED',
    `${path} has changed since reading of it began (${difference}), so the stored position no ` +
      `longer fits. Put the old file back to go on${instead}.`,
    { facts: { file: path } },
  )
}

function describeDifference(stored: FileIdentity, now: FileIdentity): string | undefined {
  if (stored.sizeBytes !== now.sizeBytes) {
    return `${stored.sizeBytes} bytes then, ${now.sizeBytes} now`
  }
  if (stored.endsHash !== now.endsHash) return 'other bytes at its ends'
  if (stored.mtimeMs !== now.mtimeMs) {
    return `modified ${new Date(stored.mtimeMs).toISOString()} then, ${new Date(now.mtimeMs).toISOString()} now`
  }
  return undefined
}

/**
 * Takes a stored file position apart: the named counters and the identity.
 *
 * @throws UsageError INPUT_CHANGED when it was not made by this kind of source.
 */
export function readFilePosition<Counter extends string>(
  path: string,
  position: Json,
  counters: readonly Counter[],
): Record<Counter, number> & { file: FileIdentity } {
  const fields = asObject(position)
  const file = asObject(fields['file'])
  const { sizeBytes, mtimeMs, endsHash } = file
  const found: Partial<Record<Counter, number>> = {}
  let fits =
    typeof sizeBytes === 'number' && typeof mtimeMs === 'number' && typeof endsHash === 'string'
  for (const counter of counters) {
    const value = fields[counter]
    if (typeof value === 'number') found[counter] = value
    else fits = false
  }
  if (!fits) {
    throw new UsageError(
      'INPUT_CHANGED',
      `The position stored for ${path} was made by another kind of source: ` +
        `${JSON.stringify(position)}. Name the source or the pipeline anew to start from the beginning.`,
      { facts: { file: path } },
    )
  }
  return { ...found, file } as Record<Counter, number> & { file: FileIdentity }
}

function asObject(value: Json | undefined): Readonly<Record<string, Json>> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return {}
  return value as Readonly<Record<string, Json>>
}
