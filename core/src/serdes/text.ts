import { isUtf8 } from 'node:buffer'
import { RejectedError } from '../errors.ts'

/**
 * The text of the UTF-8 bytes from `start` up to `end`.
 *
 * @throws RejectedError RECORD_INVALID when they are no UTF-8.
 */
export function decodeText(buffer: Buffer, start: number, end: number): string {
  const text = buffer.toString('utf8', start, end)
  // Decoding puts U+FFFD for what it cannot read, so only text that has one needs a second look.
  if (text.includes('\ufffd') && !isUtf8(buffer.subarray(start, end))) {
    throw new RejectedError('RECORD_INVALID', 'The bytes are no UTF-8 text. Read them as `bytes`.')
  }
  return text
}
