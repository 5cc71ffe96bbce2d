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
  varlongBytes,
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
const POOLED_BYTES_MAX = 2048
// Attributes, three length fields, offset and timestamp deltas, header count.
const RECORD_OVERHEAD_BYTES_MAX = 1 + 5 * VARINT_BYTES_MAX + VARLONG_BYTES_MAX
const UTF8_BYTES_PER_UNIT_MAX = 3
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

  /** @param capacityBytes What the buffer starts with; a good guess saves copies. */
  constructor(capacityBytes = 0) {
    this.#capacityBytes = capacityBytes
  }

  /**
   * Adds a record.
   *
   * @param timestampMs A non-negative integer.
   * @throws RejectedError RECORD_INVALID for another timestamp; the batch stays as it was.
   */
  append(
    key: Encoded,
    value: Encoded,
    timestampMs: number,
    headers: readonly Header[] = NO_HEADERS,
  ): void {
    expectTimestamp(timestampMs)
    const headersBytes = headers.length === 0 ? 1 : sizeOfHeaders(headers)
    this.#makeRoom(recordBytesMax(key, value, headers))
    if (this.recordCount === 0) this.#baseTimestampMs = timestampMs
    // Text is taken for ASCII at first; when it proves longer the record is written again over itself.
    const end =
      this.#write(key, lengthOf(key), value, lengthOf(value), timestampMs, headers, headersBytes) ??
      this.#write(
        key,
        utf8Length(key),
        value,
        utf8Length(value),
        timestampMs,
        headers,
        headersBytes,
      )
    invariant(end !== undefined, 'UTF-8 took another size than it was measured to')
    this.sizeBytes = end
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

  #write(
    key: Encoded,
    keyBytes: number,
    value: Encoded,
    valueBytes: number,
    timestampMs: number,
    headers: readonly Header[],
    headersBytes: number,
  ): number | undefined {
    const buffer = this.#buffer
    const timestampDelta = timestampMs - this.#baseTimestampMs
    const bodyBytes =
      1 +
      varlongBytes(timestampDelta) +
      varintBytes(this.recordCount) +
      varintBytes(keyBytes) +
      (keyBytes > 0 ? keyBytes : 0) +
      varintBytes(valueBytes) +
      (valueBytes > 0 ? valueBytes : 0) +
      headersBytes
    let position = writeVarint(buffer, this.sizeBytes, bodyBytes)
    buffer[position++] = 0
    position = writeVarlong(buffer, position, timestampDelta)
    position = writeVarint(buffer, position, this.recordCount)
    const keyEnd = writeEncoded(buffer, position, key, keyBytes)
    if (keyEnd < 0) return undefined
    const valueEnd = writeEncoded(buffer, keyEnd, value, valueBytes)
    if (valueEnd < 0) return undefined
    if (headers.length > 0) return writeHeaders(buffer, valueEnd, headers)
    buffer[valueEnd] = 0
    return valueEnd + 1
  }

  #makeRoom(bytes: number): void {
    const needed = this.sizeBytes + bytes
    if (needed <= this.#buffer.length) return
    const larger = allocate(
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

/** Small batches share Node's pool, which is much cheaper; large ones must not hold on to it. */
function allocate(bytes: number): Buffer {
  return bytes <= POOLED_BYTES_MAX ? Buffer.allocUnsafe(bytes) : batchMemory.take(bytes)
}

/** Uses the memory of a finished batch for others. Nobody may look at its bytes from then on. */
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

function lengthOf(encoded: Encoded): number {
  return encoded === null ? -1 : encoded.length
}

function utf8Length(encoded: Encoded): number {
  return typeof encoded === 'string' ? Buffer.byteLength(encoded) : lengthOf(encoded)
}

/** Writes length and content; gives the position after it, or −1 when text takes another size. */
function writeEncoded(buffer: Buffer, start: number, encoded: Encoded, bytes: number): number {
  const position = writeVarint(buffer, start, bytes)
  if (encoded === null) return position
  if (typeof encoded === 'string') {
    return writeText(buffer, position, encoded) === bytes ? position + bytes : -1
  }
  buffer.set(encoded, position)
  return position + bytes
}

function writeText(buffer: Buffer, start: number, text: string): number {
  if (text.length > SHORT_TEXT_LENGTH) return buffer.write(text, start)
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit > 0x7f) return buffer.write(text, start)
    buffer[start + index] = unit
  }
  return text.length
}

function sizeOfHeaders(headers: readonly Header[]): number {
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
    position = writeEncoded(buffer, position, key, Buffer.byteLength(key))
    position = writeEncoded(buffer, position, value, lengthOf(value))
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
