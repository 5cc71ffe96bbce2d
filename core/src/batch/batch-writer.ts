import { invariant, RejectedError } from '../errors.ts'
import type { Compression } from '../log.ts'
import type { Header } from '../record.ts'
import { batchMemory } from './batch-memory.ts'
import { compress } from './compression.ts'
import {
  ATTRIBUTE,
  batchCrc,
  COMPRESSIONS,
  FIELD,
  HEADER_BYTES,
  LENGTH_COUNTS_FROM,
} from './header.ts'
import { writeInt16, writeInt32, writeInt64 } from './integers.ts'
import {
  VARINT_BYTES_MAX,
  VARLONG_BYTES_MAX,
  varintBytes,
  writeVarint,
  writeVarlong,
} from './varint.ts'

/** A key or value ready to be written: bytes as they are, text as its UTF-8, or nothing. */
export type Encoded = Uint8Array | string | null

/** What a batch says of itself besides its records. */
export interface BatchOptions {
  /** Default `none`. */
  readonly compression?: Compression
  /** Of an idempotent producer; −1 or absent: none. */
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  /** Leaves the CRC to the log, whose `append` is then told of it. */
  readonly withoutCrc?: boolean
}

const NO_HEADERS: readonly Header[] = []
const EMPTY: Buffer = Buffer.alloc(0)
const CAPACITY_BYTES_MIN = 512
// Attributes, three length fields, offset and timestamp deltas, header count.
const RECORD_OVERHEAD_BYTES_MAX = 1 + 5 * VARINT_BYTES_MAX + VARLONG_BYTES_MAX
const UTF8_BYTES_PER_UNIT_MAX = 3
/** −1 as a varint. */
const NULL_LENGTH = 1
// Below this a loop over the text beats the call into native code.
const SHORT_TEXT_LENGTH = 16

/**
 * Collects records into one record batch (Kafka's format v2), in one growing buffer and without an
 * allocation per record. After {@link BatchWriter.finish} it starts the next batch.
 */
export class BatchWriter {
  /** Records in the batch so far. */
  recordCount = 0
  /** Size of the batch so far, header included, before compression. */
  sizeBytes = HEADER_BYTES
  /** Largest timestamp in the batch so far; −1 when it is empty. */
  maxTimestampMs = -1

  #buffer = EMPTY
  #capacityBytes: number
  #baseTimestampMs = 0
  /** That the length of the last record took. */
  #lengthBytes = 1

  /** @param capacityBytes What the buffer starts with; a good guess saves copies. */
  constructor(capacityBytes = 0) {
    this.#capacityBytes = capacityBytes
  }

  /**
   * Adds a record.
   *
   * @param timestampMs A non-negative integer.
   * @param bytesMax {@link recordBytesMax} of the rest, for who has asked already.
   * @throws RejectedError RECORD_INVALID for another timestamp; the batch stays as it was.
   */
  append(
    key: Encoded,
    value: Encoded,
    timestampMs: number,
    headers: readonly Header[] = NO_HEADERS,
    bytesMax: number = recordBytesMax(key, value, headers),
  ): void {
    if (this.recordCount === 0) this.#begin(timestampMs, bytesMax)
    const timestampDelta = timestampMs - this.#baseTimestampMs
    // So close to a good timestamp, it is a whole number as well.
    const isClose = (timestampDelta | 0) === timestampDelta && timestampMs >= 0
    if (!isClose) expectTimestamp(timestampMs)
    if (this.sizeBytes + bytesMax > this.#buffer.length) this.#grow(this.sizeBytes + bytesMax)
    const buffer = this.#buffer
    const start = this.sizeBytes
    // The length is known last: room is left for one as long as that of the record before.
    const bodyStart = start + this.#lengthBytes
    buffer[bodyStart] = 0
    let position = isClose
      ? writeVarint(buffer, bodyStart + 1, timestampDelta)
      : writeVarlong(buffer, bodyStart + 1, timestampDelta)
    position = writeVarint(buffer, position, this.recordCount)
    position = writeEncoded(buffer, position, key)
    position = writeEncoded(buffer, position, value)
    if (headers.length > 0) position = writeHeaders(buffer, position, headers)
    else buffer[position++] = 0
    const bodyBytes = position - bodyStart
    if (varintBytes(bodyBytes) !== this.#lengthBytes) {
      position = this.#moveBody(bodyStart, position, varintBytes(bodyBytes))
    }
    writeVarint(buffer, start, bodyBytes)
    this.sizeBytes = position
    this.recordCount++
    if (timestampMs > this.maxTimestampMs) this.maxTimestampMs = timestampMs
  }

  /**
   * Seals the batch and gives its bytes, which are the caller's from then on; {@link recycle} takes
   * their memory back. Base offset and leader epoch are zero, for the log to stamp.
   */
  finish(options: BatchOptions = {}): Uint8Array {
    invariant(this.recordCount > 0, 'a batch without records was finished')
    const batch = this.#compressed(options.compression ?? 'none')
    this.#writeHeader(batch, options)
    this.#capacityBytes = this.sizeBytes + (this.sizeBytes >> 3)
    this.#buffer = EMPTY
    this.recordCount = 0
    this.sizeBytes = HEADER_BYTES
    this.maxTimestampMs = -1
    return batch
  }

  #begin(timestampMs: number, bytesMax: number): void {
    expectTimestamp(timestampMs)
    this.#baseTimestampMs = timestampMs
    this.#lengthBytes = varintBytes(bytesMax)
  }

  /** Leaves the last record's length other room; gives the record's new end. */
  #moveBody(bodyStart: number, end: number, lengthBytes: number): number {
    const shift = lengthBytes - this.#lengthBytes
    this.#buffer.copyWithin(bodyStart + shift, bodyStart, end)
    this.#lengthBytes = lengthBytes
    return end + shift
  }

  #grow(needed: number): void {
    const larger = batchMemory.take(
      Math.max(needed, this.#capacityBytes, this.#buffer.length * 2, CAPACITY_BYTES_MIN),
    )
    this.#buffer.copy(larger, 0, 0, this.sizeBytes)
    batchMemory.giveBack(this.#buffer)
    this.#buffer = larger
  }

  #compressed(compression: Compression): Buffer {
    if (compression === 'none') return this.#buffer.subarray(0, this.sizeBytes)
    const records = compress(compression, this.#buffer.subarray(HEADER_BYTES, this.sizeBytes))
    const batch = Buffer.allocUnsafeSlow(HEADER_BYTES + records.length)
    batch.set(records, HEADER_BYTES)
    batchMemory.giveBack(this.#buffer)
    return batch
  }

  #writeHeader(batch: Buffer, options: BatchOptions): void {
    const attributes =
      COMPRESSIONS.indexOf(options.compression ?? 'none') |
      (options.isTransactional === true ? ATTRIBUTE.transactional : 0)
    writeInt64(batch, FIELD.baseOffset, 0)
    writeInt32(batch, FIELD.length, batch.length - LENGTH_COUNTS_FROM)
    writeInt32(batch, FIELD.leaderEpoch, 0)
    batch[FIELD.magic] = 2
    writeInt16(batch, FIELD.attributes, attributes)
    writeInt32(batch, FIELD.lastOffsetDelta, this.recordCount - 1)
    writeInt64(batch, FIELD.baseTimestamp, this.#baseTimestampMs)
    writeInt64(batch, FIELD.maxTimestamp, this.maxTimestampMs)
    writeInt64(batch, FIELD.producerId, options.producerId ?? -1)
    writeInt16(batch, FIELD.producerEpoch, options.producerEpoch ?? -1)
    writeInt32(batch, FIELD.baseSequence, options.baseSequence ?? -1)
    writeInt32(batch, FIELD.recordCount, this.recordCount)
    const crc = options.withoutCrc === true ? 0 : batchCrc(batch, 0, batch.length)
    writeInt32(batch, FIELD.crc, crc)
  }
}

/**
 * Uses the memory of a finished or fetched batch for others. Nobody may look at its bytes from then on.
 */
export function recycle(batch: Uint8Array): void {
  batchMemory.giveBack(batch)
}

/** Most bytes that one record with these parts takes in a batch. */
export function recordBytesMax(
  key: Encoded,
  value: Encoded,
  headers: readonly Header[] = NO_HEADERS,
): number {
  const headersBytes = headers.length === 0 ? 1 : sizeOfHeaders(headers)
  return largestSize(key) + largestSize(value) + headersBytes + RECORD_OVERHEAD_BYTES_MAX
}

function largestSize(encoded: Encoded): number {
  if (typeof encoded === 'string') return encoded.length * UTF8_BYTES_PER_UNIT_MAX
  return encoded === null ? 0 : encoded.length
}

/** Writes length and content; gives the position after them. */
function writeEncoded(buffer: Buffer, position: number, encoded: Encoded): number {
  if (typeof encoded === 'string') return writeText(buffer, position, encoded)
  if (encoded === null) {
    buffer[position] = NULL_LENGTH
    return position + 1
  }
  const start = writeVarint(buffer, position, encoded.length)
  buffer.set(encoded, start)
  return start + encoded.length
}

/** Text is taken for ASCII at first; when it proves longer, its length may be, too. */
function writeText(buffer: Buffer, position: number, text: string): number {
  const start = position + varintBytes(text.length)
  const bytes = writeUtf8(buffer, start, text)
  const contentStart = position + varintBytes(bytes)
  if (contentStart !== start) buffer.copyWithin(contentStart, start, start + bytes)
  writeVarint(buffer, position, bytes)
  return contentStart + bytes
}

function writeUtf8(buffer: Buffer, start: number, text: string): number {
  if (text.length > SHORT_TEXT_LENGTH) return buffer.write(text, start)
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit > 0x7f) return buffer.write(text, start)
    buffer[start + index] = unit
  }
  return text.length
}

function sizeOfHeaders(headers: readonly Header[]): number {
  if (!Array.isArray(headers)) {
    throw new RejectedError(
      'RECORD_INVALID',
      `A record's headers are a list, such as [{ key: 'from', value: bytes }], not ${typeof headers}.`,
    )
  }
  let size = varintBytes(headers.length)
  for (const { key, value } of headers) {
    if (typeof key !== 'string' || !(value === null || value instanceof Uint8Array)) {
      throw new RejectedError(
        'RECORD_INVALID',
        'A header needs a string as its key, and bytes (a Uint8Array) or null as its value.',
      )
    }
    const keyBytes = Buffer.byteLength(key)
    const valueBytes = value === null ? -1 : value.length
    size += varintBytes(keyBytes) + keyBytes + varintBytes(valueBytes) + Math.max(valueBytes, 0)
  }
  return size
}

function writeHeaders(buffer: Buffer, start: number, headers: readonly Header[]): number {
  let position = writeVarint(buffer, start, headers.length)
  for (const { key, value } of headers) {
    position = writeText(buffer, position, key)
    position = writeEncoded(buffer, position, value)
  }
  return position
}

/** @throws RejectedError RECORD_INVALID unless a batch can hold this timestamp. */
export function expectTimestamp(timestampMs: number): void {
  if (Number.isSafeInteger(timestampMs) && timestampMs >= 0) return
  throw new RejectedError(
    'RECORD_INVALID',
    `A record's timestamp must be a whole number of milliseconds since 1970, not ${timestampMs}.`,
    { facts: { timestampMs } },
  )
}
