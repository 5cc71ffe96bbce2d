import type { Header } from '../record.ts'
import { decompress } from './compression.ts'
import {
  ATTRIBUTE,
  type BatchHeader,
  corruptBatch,
  crcMatches,
  HEADER_BYTES,
  readHeader,
} from './header.ts'

/** How a {@link BatchReader} reads. */
export interface BatchReaderOptions {
  /** Records below this offset are passed over. Default 0. */
  readonly fromOffset?: number
  /** Largest decompressed batch accepted. Default 64 MiB. */
  readonly decompressedBytesMax?: number
  /** Check each batch's CRC; not needed for what a log's fetch answered. Default false. */
  readonly checkCrc?: boolean
}

/** What readers decompress at most, so that a few bytes can't claim all memory. */
export const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024
const EMPTY = Buffer.alloc(0)

/**
 * A cursor over the records of whole batches; it makes no object unless asked. Fields describe the
 * record that the last {@link BatchReader.next} stepped on; positions are places in
 * {@link BatchReader.bytes}, which changes from batch to batch. Transaction markers are passed over.
 */
export class BatchReader {
  /** What the positions point into. */
  bytes: Buffer = EMPTY
  offset = -1
  timestampMs = -1
  keyStart = 0
  /** −1: the key is null. */
  keyLength = -1
  valueStart = 0
  /** −1: the value is null. */
  valueLength = -1
  /** Header of the batch that the current record is in. */
  batch: BatchHeader | undefined

  readonly #source: Buffer
  readonly #fromOffset: number
  readonly #decompressedBytesMax: number
  readonly #checkCrc: boolean
  #sourcePosition = 0
  #batchPosition = 0
  #position = 0
  #end = 0
  #remaining = 0
  #baseOffset = 0
  #offsetBefore = -1
  #offsetMax = -1
  #baseTimestampMs = 0
  #isLogAppendTime = false
  #headerCount = 0
  #headersStart = 0

  constructor(batches: Uint8Array, options: BatchReaderOptions = {}) {
    this.#source = asBuffer(batches)
    this.#fromOffset = options.fromOffset ?? 0
    this.#decompressedBytesMax = options.decompressedBytesMax ?? DECOMPRESSED_BYTES_MAX
    this.#checkCrc = options.checkCrc ?? false
  }

  /**
   * Steps to the next record; false after the last.
   *
   * @throws CorruptDataError when the bytes cannot be what a producer wrote; the cursor then stays
   *   where it is useless: make no further use of it.
   */
  next(): boolean {
    for (;;) {
      while (this.#remaining === 0) {
        if (this.#position !== this.#end) throw this.#corrupt('bytes follow its last record')
        if (!this.#nextBatch()) return false
      }
      this.#remaining--
      this.#readRecord()
      if (this.offset >= this.#fromOffset) return true
    }
  }

  /** Leader epoch of the current record's batch; goes into positions after it. */
  get leaderEpoch(): number {
    return this.batch?.leaderEpoch ?? -1
  }

  /** A view of the key; null when there is none. */
  get key(): Uint8Array | null {
    return this.keyLength < 0
      ? null
      : this.bytes.subarray(this.keyStart, this.keyStart + this.keyLength)
  }

  /** A view of the value; null for a tombstone. */
  get value(): Uint8Array | null {
    return this.valueLength < 0
      ? null
      : this.bytes.subarray(this.valueStart, this.valueStart + this.valueLength)
  }

  get headerCount(): number {
    return this.#headerCount
  }

  /** The headers, their values as views. */
  get headers(): Header[] {
    const headers: Header[] = []
    this.#position = this.#headersStart
    for (let count = this.#headerCount; count > 0; count--) {
      const keyLength = this.#readVarint()
      const key = this.bytes.toString('utf8', this.#position, this.#position + keyLength)
      this.#position += keyLength
      const valueLength = this.#readVarint()
      const valueEnd = this.#position + Math.max(valueLength, 0)
      headers.push({
        key,
        value: valueLength < 0 ? null : this.bytes.subarray(this.#position, valueEnd),
      })
      this.#position = valueEnd
    }
    return headers
  }

  #nextBatch(): boolean {
    if (this.#sourcePosition === this.#source.length) return false
    const position = this.#sourcePosition
    const header = readHeader(this.#source, position)
    const sourceEnd = position + header.sizeBytes
    this.#batchPosition = position
    if (sourceEnd > this.#source.length) throw this.#corrupt('it is cut short')
    if (this.#checkCrc && !crcMatches(this.#source, position, header.sizeBytes)) {
      throw this.#corrupt('its checksum does not match')
    }
    this.#sourcePosition = sourceEnd
    this.#position = 0
    this.#end = 0
    if (header.isControl || header.baseOffset + header.lastOffsetDelta < this.#fromOffset)
      return true
    this.#openBatch(header, position + HEADER_BYTES, sourceEnd)
    return true
  }

  #openBatch(header: BatchHeader, start: number, end: number): void {
    this.batch = header
    this.#remaining = header.recordCount
    this.#baseOffset = header.baseOffset
    this.#offsetBefore = header.baseOffset - 1
    this.#offsetMax = header.baseOffset + header.lastOffsetDelta
    this.#isLogAppendTime = (header.attributes & ATTRIBUTE.logAppendTime) !== 0
    this.#baseTimestampMs = this.#isLogAppendTime ? header.maxTimestampMs : header.baseTimestampMs
    if (header.compression === 'none') {
      this.bytes = this.#source
      this.#position = start
      this.#end = end
      return
    }
    const records = this.#source.subarray(start, end)
    this.bytes = decompress(header.compression, records, this.#decompressedBytesMax)
    this.#position = 0
    this.#end = this.bytes.length
  }

  #readRecord(): void {
    const bodyBytes = this.#readVarint()
    const end = this.#position + bodyBytes
    // The smallest record: attributes, two deltas, two lengths, header count.
    if (bodyBytes < 6 || end > this.#end) throw this.#corrupt('a record has an impossible length')
    this.#position++
    const timestampDelta = this.#readVarlong()
    const offset = this.#baseOffset + this.#readVarint()
    if (offset <= this.#offsetBefore || offset > this.#offsetMax) {
      throw this.#corrupt('its offsets do not ascend')
    }
    this.offset = this.#offsetBefore = offset
    this.timestampMs = this.#isLogAppendTime
      ? this.#baseTimestampMs
      : this.#baseTimestampMs + timestampDelta
    if (!Number.isSafeInteger(this.timestampMs)) throw this.#corrupt('a timestamp is impossible')
    const keyLength = (this.keyLength = this.#readVarint())
    this.keyStart = this.#position
    if (keyLength > 0) this.#position += keyLength
    if (keyLength < -1 || this.#position >= end)
      throw this.#corrupt('a key has an impossible length')
    const valueLength = (this.valueLength = this.#readVarint())
    this.valueStart = this.#position
    if (valueLength > 0) this.#position += valueLength
    if (valueLength < -1 || this.#position >= end)
      throw this.#corrupt('a value has an impossible length')
    this.#headerCount = this.#readVarint()
    this.#headersStart = this.#position
    if (this.#headerCount !== 0) this.#skipHeaders(end)
    if (this.#position !== end) throw this.#corrupt('a record has another length than it says')
  }

  #skipHeaders(end: number): void {
    if (this.#headerCount < 0) throw this.#corrupt('a header count is negative')
    for (let count = this.#headerCount; count > 0; count--) {
      const keyLength = this.#readVarint()
      this.#position += keyLength
      if (keyLength < 0 || this.#position >= end)
        throw this.#corrupt('a header key has an impossible length')
      const valueLength = this.#readVarint()
      if (valueLength > 0) this.#position += valueLength
      if (valueLength < -1 || this.#position > end) {
        throw this.#corrupt('a header value has an impossible length')
      }
    }
  }

  #readVarint(): number {
    const bytes = this.bytes
    const first = bytes[this.#position++] ?? 0
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let raw = first & 0x7f
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = bytes[this.#position++] ?? 0
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break
        return (raw >>> 1) ^ -(raw & 1)
      }
    }
    throw this.#corrupt('an integer is too long')
  }

  #readVarlong(): number {
    const bytes = this.bytes
    const first = bytes[this.#position++] ?? 0
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let raw = first & 0x7f
    for (let scale = 128; scale < 2 ** 49; scale *= 128) {
      const byte = bytes[this.#position++] ?? 0
      raw += (byte & 0x7f) * scale
      if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
    }
    return this.#readWideVarlong(BigInt(raw))
  }

  /** Continues after seven bytes: timestamps further apart than numbers can zigzag. */
  #readWideVarlong(low: bigint): number {
    let raw = low
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.#position++] ?? 0
      raw |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        const value = Number(raw % 2n === 0n ? raw / 2n : -(raw + 1n) / 2n)
        if (!Number.isSafeInteger(value)) break
        return value
      }
    }
    throw this.#corrupt('a timestamp is impossible')
  }

  #corrupt(fault: string): Error {
    return corruptBatch(fault, this.#batchPosition)
  }
}

/** The same bytes as a Buffer, whose text methods are faster. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
