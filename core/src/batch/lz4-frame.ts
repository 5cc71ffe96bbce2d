import { corruptCompression } from './corrupt-compression.ts'

const MAGIC = 0x184d2204
const HAS_BLOCK_CHECKSUMS = 0x10
const HAS_CONTENT_SIZE = 0x08
const HAS_CONTENT_CHECKSUM = 0x04
const HAS_DICTIONARY = 0x01
const IS_STORED = 0x8000_0000
const MATCH_BYTES_MIN = 4
// Magic, flags, block size code, header checksum.
const HEADER_BYTES_MIN = 7

/**
 * The decompressed size of an LZ4 frame, found by walking its sequences without writing anything:
 * the decoder has no limit of its own and would take the memory before it could be told to stop.
 *
 * @throws CorruptDataError when it is no such frame or the size is over `bytesMax`.
 */
export function lz4Size(frame: Buffer, bytesMax: number): number {
  if (frame.length < HEADER_BYTES_MIN || frame.readUInt32LE(0) !== MAGIC) fault('has no LZ4 frame')
  const flags = frame[4] ?? 0
  if ((flags & HAS_DICTIONARY) !== 0) fault('asks for a dictionary')
  let position = HEADER_BYTES_MIN + ((flags & HAS_CONTENT_SIZE) !== 0 ? 8 : 0)
  let sizeBytes = 0
  for (;;) {
    if (position + 4 > frame.length) fault('is cut short')
    const block = frame.readUInt32LE(position)
    position += 4
    if (block === 0) break
    const isStored = block >= IS_STORED
    const blockBytes = isStored ? block - IS_STORED : block
    const end = position + blockBytes
    if (end > frame.length) fault('has a block longer than itself')
    sizeBytes += isStored ? blockBytes : blockSize(frame, position, end, bytesMax - sizeBytes)
    if (sizeBytes > bytesMax) fault(`would become larger than ${bytesMax} bytes`)
    position = end + ((flags & HAS_BLOCK_CHECKSUMS) !== 0 ? 4 : 0)
  }
  const end = position + ((flags & HAS_CONTENT_CHECKSUM) !== 0 ? 4 : 0)
  if (end !== frame.length) fault('has another length than it says')
  return sizeBytes
}

/** Sums the literals and matches of one block; stops once over `bytesMax`. */
function blockSize(frame: Buffer, start: number, end: number, bytesMax: number): number {
  let position = start
  let sizeBytes = 0
  while (position < end && sizeBytes <= bytesMax) {
    const token = frame[position++] ?? 0
    let literalBytes = token >>> 4
    if (literalBytes === 15) {
      for (let byte = 255; byte === 255; literalBytes += byte) {
        if (position >= end) fault('has a cut sequence')
        byte = frame[position++] ?? 0
      }
    }
    position += literalBytes
    sizeBytes += literalBytes
    if (position > end) fault('has literals beyond their block')
    // A block's last sequence has no match.
    if (position === end) break
    position += 2
    let matchBytes = token & 0x0f
    if (matchBytes === 15) {
      for (let byte = 255; byte === 255; matchBytes += byte) {
        if (position >= end) fault('has a cut sequence')
        byte = frame[position++] ?? 0
      }
    }
    sizeBytes += matchBytes + MATCH_BYTES_MIN
    if (position >= end) fault('has a cut sequence')
  }
  return sizeBytes
}

function fault(what: string): never {
  throw corruptCompression('lz4', what)
}
