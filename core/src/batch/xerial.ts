/**
 * Snappy as Kafka's Java clients write it: the xerial library's framing, a header and then blocks,
 * each behind its length. Other clients write a raw block.
 */
import { corruptCompression } from './corrupt-compression.ts'

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const HEADER_BYTES = 16
const VERSION = 1
// What Kafka's Java client cuts its blocks at.
const BLOCK_BYTES = 32 * 1024

type Codec = (bytes: Buffer) => Buffer

/** Whether the bytes have xerial's framing. */
export function isXerial(bytes: Buffer): boolean {
  return bytes.length >= HEADER_BYTES && bytes.subarray(0, MAGIC.length).equals(MAGIC)
}

/** Compresses block by block. */
export function writeXerial(bytes: Buffer, compressBlock: Codec): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.set(MAGIC)
  header.writeInt32BE(VERSION, 8)
  header.writeInt32BE(VERSION, 12)
  const parts: Buffer[] = [header]
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    const block = compressBlock(bytes.subarray(start, start + BLOCK_BYTES))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

/**
 * Decompresses block by block.
 *
 * @throws CorruptDataError when a block is cut short or all would be larger than `bytesMax`.
 */
export function readXerial(bytes: Buffer, bytesMax: number, decompressBlock: Codec): Buffer {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for (let position = HEADER_BYTES; position < bytes.length;) {
    if (position + 4 > bytes.length) throw corruptCompression('snappy', 'is cut short')
    const end = position + 4 + bytes.readInt32BE(position)
    if (end <= position + 4 || end > bytes.length) {
      throw corruptCompression('snappy', 'has a block longer than itself')
    }
    const block = bytes.subarray(position + 4, end)
    sizeBytes += snappySize(block, bytesMax - sizeBytes)
    parts.push(decompressBlock(block))
    position = end
  }
  if (parts.length === 0) throw corruptCompression('snappy', 'is cut short')
  return Buffer.concat(parts)
}

/**
 * The decompressed size that a raw snappy block claims, checked before it is believed.
 *
 * @throws CorruptDataError when it is over `bytesMax`.
 */
export function snappySize(block: Buffer, bytesMax: number): number {
  let sizeBytes = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index]
    if (byte === undefined) break
    sizeBytes += (byte & 0x7f) * 2 ** (7 * index)
    if (byte > 0x7f) continue
    if (sizeBytes <= bytesMax) return sizeBytes
    throw corruptCompression('snappy', `would become larger than ${bytesMax} bytes`)
  }
  throw corruptCompression('snappy', 'has no length')
}
