import { crc32c } from '@node-rs/crc32'
import { CorruptDataError } from '../errors.ts'
import type { Compression } from '../log.ts'
import { readInt16, readInt32, readInt64, writeInt32, writeInt64 } from './integers.ts'

/** Bytes before the first record of a record batch (Kafka's format, magic 2). */
export const HEADER_BYTES = 61

/** Where the bytes under the CRC begin; base offset, length, leader epoch, magic and the CRC lie before. */
const CRC_COVERS_FROM = 21

/** Bytes in front of those that a batch's length field counts. */
export const LENGTH_COUNTS_FROM = 12

/** Position of each field inside a batch. */
export const FIELD = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const

/** Bits of the attributes field. */
export const ATTRIBUTE = {
  compression: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
} as const

/** The compressions, at their Kafka numbers. */
export const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** The fields of a record batch's header. */
export interface BatchHeader {
  readonly baseOffset: number
  /** The whole batch, header included. */
  readonly sizeBytes: number
  readonly leaderEpoch: number
  readonly magic: number
  readonly crc: number
  readonly attributes: number
  readonly lastOffsetDelta: number
  readonly baseTimestampMs: number
  readonly maxTimestampMs: number
  /** −1: not from an idempotent producer. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
  readonly isTransactional: boolean
  /** Holds a transaction's end marker instead of records. */
  readonly isControl: boolean
  readonly compression: Compression
}

/**
 * Reads the header of the batch at `position`. The batch may reach past the end of `bytes` (a torn
 * tail); the CRC is not looked at.
 *
 * @throws CorruptDataError when fewer than {@link HEADER_BYTES} are there or a field cannot be true.
 */
export function readHeader(bytes: Uint8Array, position: number): BatchHeader {
  const fault = findHeaderFault(bytes, position)
  if (fault !== undefined) throw corruptBatch(fault, position)
  const attributes = readInt16(bytes, position + FIELD.attributes)
  return {
    baseOffset: readInt64(bytes, position + FIELD.baseOffset),
    sizeBytes: batchSizeBytes(bytes, position),
    leaderEpoch: readInt32(bytes, position + FIELD.leaderEpoch),
    magic: bytes[position + FIELD.magic] ?? 0,
    crc: readInt32(bytes, position + FIELD.crc) >>> 0,
    attributes,
    lastOffsetDelta: readInt32(bytes, position + FIELD.lastOffsetDelta),
    baseTimestampMs: readInt64(bytes, position + FIELD.baseTimestamp),
    maxTimestampMs: readInt64(bytes, position + FIELD.maxTimestamp),
    producerId: readInt64(bytes, position + FIELD.producerId),
    producerEpoch: readInt16(bytes, position + FIELD.producerEpoch),
    baseSequence: readInt32(bytes, position + FIELD.baseSequence),
    recordCount: readInt32(bytes, position + FIELD.recordCount),
    isTransactional: (attributes & ATTRIBUTE.transactional) !== 0,
    isControl: (attributes & ATTRIBUTE.control) !== 0,
    compression: COMPRESSIONS[attributes & ATTRIBUTE.compression] ?? 'none',
  }
}

/** Says what is wrong with the header at `position`, without throwing: for scans that expect rubbish. */
export function findHeaderFault(bytes: Uint8Array, position: number): string | undefined {
  if (position < 0 || position + HEADER_BYTES > bytes.length) return 'the header is cut short'
  if (bytes[position + FIELD.magic] !== 2) {
    return `its format version is ${bytes[position + FIELD.magic]}, not 2`
  }
  const sizeBytes = batchSizeBytes(bytes, position)
  if (sizeBytes < HEADER_BYTES)
    return `its length field (${sizeBytes - LENGTH_COUNTS_FROM}) is impossible`
  return findNumberFault(bytes, position) ?? findCountFault(bytes, position)
}

function findNumberFault(bytes: Uint8Array, position: number): string | undefined {
  const baseOffset = readInt64(bytes, position + FIELD.baseOffset)
  if (!Number.isSafeInteger(baseOffset) || baseOffset < 0) return 'its base offset is impossible'
  if (!Number.isSafeInteger(readInt64(bytes, position + FIELD.baseTimestamp))) {
    return 'its base timestamp is impossible'
  }
  if (!Number.isSafeInteger(readInt64(bytes, position + FIELD.maxTimestamp))) {
    return 'its maximum timestamp is impossible'
  }
  const producerId = readInt64(bytes, position + FIELD.producerId)
  if (!Number.isSafeInteger(producerId) || producerId < -1) return 'its producer id is impossible'
  const compression = readInt16(bytes, position + FIELD.attributes) & ATTRIBUTE.compression
  return compression < COMPRESSIONS.length
    ? undefined
    : `its compression (${compression}) is unknown`
}

function findCountFault(bytes: Uint8Array, position: number): string | undefined {
  const lastOffsetDelta = readInt32(bytes, position + FIELD.lastOffsetDelta)
  const recordCount = readInt32(bytes, position + FIELD.recordCount)
  if (recordCount < 0) return 'its record count is negative'
  // Compaction leaves gaps, so a batch may span more offsets than it has records, never fewer.
  if (lastOffsetDelta < 0 || recordCount > lastOffsetDelta + 1) {
    return `it counts ${recordCount} records in ${lastOffsetDelta + 1} offsets`
  }
  return undefined
}

/** Size of the whole batch at `position`, as its length field claims. */
export function batchSizeBytes(bytes: Uint8Array, position: number): number {
  return readInt32(bytes, position + FIELD.length) + LENGTH_COUNTS_FROM
}

/** Gives the batch at `position` its place in the log; these fields lie outside its CRC. */
export function stampBatch(
  bytes: Uint8Array,
  position: number,
  baseOffset: number,
  leaderEpoch: number,
): void {
  writeInt64(bytes, position + FIELD.baseOffset, baseOffset)
  writeInt32(bytes, position + FIELD.leaderEpoch, leaderEpoch)
}

/** Gives the batch that `bytes` are another first sequence; its CRC has to be taken again. */
export function stampSequence(bytes: Uint8Array, baseSequence: number): void {
  writeInt32(bytes, FIELD.baseSequence, baseSequence)
}

/** Gives the batch that `bytes` are its CRC. */
export function stampCrc(bytes: Uint8Array): void {
  writeInt32(bytes, FIELD.crc, batchCrc(bytes, 0, bytes.length))
}

/** Whether the batch of `sizeBytes` at `position` is whole and has the bytes its CRC was taken of. */
export function crcMatches(bytes: Uint8Array, position: number, sizeBytes: number): boolean {
  if (sizeBytes < HEADER_BYTES || position + sizeBytes > bytes.length) return false
  return readInt32(bytes, position + FIELD.crc) >>> 0 === batchCrc(bytes, position, sizeBytes)
}

/** CRC32C of a batch, from its attributes to its end. */
export function batchCrc(bytes: Uint8Array, position: number, sizeBytes: number): number {
  return crc32c(bytes.subarray(position + CRC_COVERS_FROM, position + sizeBytes))
}

/** The error for a batch whose bytes cannot be what was written. */
export function corruptBatch(fault: string, position: number, cause?: unknown): CorruptDataError {
  return new CorruptDataError(
    'CORRUPT_DATA',
    `The record batch at byte ${position} is damaged: ${fault}. Run \`millrace log verify\` to find the file.`,
    { cause, facts: { position, fault } },
  )
}
