import { UnavailableError } from '../errors.ts'
import type { File, WriteHint } from '../io/index.ts'

/**
 * Reads until `into` is full or the file ends; resolves with how many bytes came.
 *
 * @throws UnavailableError UNAVAILABLE when the disk cannot give these bytes: never to be taken for the
 *   end of the file.
 */
export async function readFully(file: File, into: Uint8Array, position: number): Promise<number> {
  try {
    let filled = await file.read(into, position)
    while (filled > 0 && filled < into.length) {
      const count = await file.read(into.subarray(filled), position + filled)
      if (count === 0) break
      filled += count
    }
    return filled
  } catch (error) {
    throw readFailed(error)
  }
}

/**
 * Writes all of `from`, however many calls it takes.
 *
 * @throws Node's errno errors; ENOSPC also when the disk takes nothing and says nothing. Some of the
 *   bytes may then be in the file.
 */
export async function writeFully(
  file: File,
  from: Uint8Array,
  position: number,
  hint?: WriteHint,
): Promise<void> {
  let written = await file.write(from, position, hint)
  while (written < from.length) {
    const count = await file.write(from.subarray(written), position + written, hint)
    if (count === 0) throw outOfSpace()
    written += count
  }
}

/** Size of an open file. @throws UnavailableError UNAVAILABLE. */
export async function sizeOf(file: File): Promise<number> {
  try {
    return await file.size()
  } catch (error) {
    throw readFailed(error)
  }
}

/** The error for bytes that the disk cannot give; anything but an errno error stays what it is. */
export function readFailed(cause: unknown): unknown {
  if (errnoOf(cause) === undefined || !(cause instanceof Error)) return cause
  return new UnavailableError(
    'UNAVAILABLE',
    `The disk could not be read (${cause.message}). Nothing was changed; check the disk and try again.`,
    { cause },
  )
}

function outOfSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}

/** The errno name of an error of the file system, such as `ENOSPC`. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
