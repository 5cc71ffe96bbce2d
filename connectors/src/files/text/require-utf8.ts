import { isUtf8 } from 'node:buffer'
import { malformed } from '../input-error.ts'
import type { Block } from './block-cutter.ts'
import { placeIn } from './line-number.ts'

/** @throws RejectedError INPUT_MALFORMED naming the first byte that is not UTF-8. */
export async function requireUtf8(
  path: string,
  block: Pick<Block, 'bytes' | 'byte' | 'line'>,
): Promise<void> {
  if (isUtf8(block.bytes)) return
  const place = await placeIn(path, block, block.byte + findInvalidUtf8(block.bytes))
  throw malformed(place, 'not UTF-8', 'Convert the file: iconv -f LATIN1 -t UTF-8.')
}

/** Where the first byte stands that is not UTF-8, in bytes known to hold one. */
function findInvalidUtf8(bytes: Buffer): number {
  let good = 0
  let bad = bytes.length
  while (bad - good > 1) {
    const middle = characterStart(bytes, (good + bad) >> 1)
    if (middle <= good || middle >= bad) break
    if (isUtf8(bytes.subarray(good, middle))) good = middle
    else bad = middle
  }
  // A character is at most 4 bytes; the bad byte is the first that no valid start reaches.
  for (let end = good + 1; end <= bad; end++) {
    if (isUtf8(bytes.subarray(good, end))) good = end
  }
  return good
}

/** The start of the character that `at` lies in, so that no good one is cut. */
function characterStart(bytes: Buffer, at: number): number {
  let start = at
  while (start > 0 && ((bytes[start] as number) & 0xc0) === 0x80 && at - start < 3) start--
  return start
}
