import type { ByteReader } from './byte-reader.ts'

/** Some whole records of a text file. */
export interface Block {
  /** Whole records with their line ends; good until the next block but one is asked for. */
  readonly bytes: Buffer
  /** Where `bytes` begin in the file, after decompression. */
  readonly byte: number
  /** The line that they begin on, where it is known: input that can't be read again to count them. */
  readonly line?: number
  /** The file ends after this block; its last record may lack a line end. */
  readonly isLast: boolean
}

/**
 * Says where the last whole record in `bytes` ends, counted from the start of `bytes`; 0 when there
 * is none. Called again with more bytes when it says 0.
 */
export type FindEnd = (bytes: Buffer, isLast: boolean) => number

/** Limits of {@link BlockCutter}. */
export interface BlockLimits {
  /** Aimed at; a block is larger only when one record is. */
  readonly blockBytes: number
  /** A longer record is an error: it is where an unclosed quote would swallow the file. */
  readonly maxRecordBytes: number
  /** Where blocks lie. Each is its taker's then, who gives it back; without, two take turns. */
  readonly buffers?: BlockBuffers
}

/** Memory for blocks that are many at once on their way. */
export interface BlockBuffers {
  take(sizeBytes: number): Buffer
  give(bytes: Buffer): void
}

/** Thrown with the byte where the record begins; the format turns it into words. */
export class RecordTooLong extends Error {
  readonly byte: number
  /** The file ended before the record did. */
  readonly atEnd: boolean

  constructor(byte: number, atEnd: boolean) {
    super('a record is longer than the limit')
    this.byte = byte
    this.atEnd = atEnd
  }
}

const LINE_FEED = 0x0a

/**
 * Cuts a stream of bytes into blocks that end where a record does. Two buffers take turns, so that
 * one block may be on its way out while the next is read.
 */
export class BlockCutter {
  readonly #reader: ByteReader
  readonly #findEnd: FindEnd
  readonly #limits: BlockLimits
  #buffer: Buffer
  #other: Buffer
  /** Bytes of the buffer that hold the file's: [0, cut) were given out, [cut, filled) are next. */
  #cut = 0
  #filled = 0
  /** Where in the file the buffer begins. */
  #byte: number
  #isEnded = false

  constructor(reader: ByteReader, startByte: number, findEnd: FindEnd, limits: BlockLimits) {
    this.#reader = reader
    this.#byte = startByte
    this.#findEnd = findEnd
    this.#limits = limits
    this.#buffer = Buffer.alloc(0)
    this.#other = Buffer.alloc(0)
  }

  /** The next block; undefined after the last. @throws RecordTooLong */
  async next(): Promise<Block | undefined> {
    this.#turn()
    for (;;) {
      await this.#fill()
      if (this.#filled === 0) return undefined
      const bytes = this.#buffer.subarray(0, this.#filled)
      const end = this.#findEnd(bytes, this.#isEnded)
      if (end > 0) {
        this.#cut = end
        return {
          bytes: bytes.subarray(0, end),
          byte: this.#byte,
          isLast: this.#isEnded && end === this.#filled,
        }
      }
      if (this.#isEnded || this.#filled >= this.#limits.maxRecordBytes) {
        throw new RecordTooLong(this.#byte, this.#isEnded)
      }
      this.#grow()
    }
  }

  /** What was not given out moves to the start of the other buffer. */
  #turn(): void {
    const rest = this.#buffer.subarray(this.#cut, this.#filled)
    const next = this.#nextBuffer(rest.length)
    rest.copy(next)
    this.#other = this.#buffer
    this.#buffer = next
    this.#byte += this.#cut
    this.#filled = rest.length
    this.#cut = 0
  }

  #nextBuffer(restBytes: number): Buffer {
    const { buffers, blockBytes } = this.#limits
    if (buffers) return buffers.take(Math.max(blockBytes, 2 * restBytes))
    if (this.#other.length >= Math.max(restBytes, blockBytes)) return this.#other
    return Buffer.allocUnsafeSlow(Math.max(this.#buffer.length, blockBytes))
  }

  async #fill(): Promise<void> {
    while (!this.#isEnded && this.#filled < this.#buffer.length) {
      const count = await this.#reader.read(this.#buffer.subarray(this.#filled))
      if (count === 0) this.#isEnded = true
      this.#filled += count
    }
  }

  #grow(): void {
    const length = Math.min(this.#buffer.length * 2, this.#limits.maxRecordBytes)
    const larger = Buffer.allocUnsafeSlow(length)
    this.#buffer.copy(larger, 0, 0, this.#filled)
    this.#limits.buffers?.give(this.#buffer)
    this.#buffer = larger
  }
}

/** {@link FindEnd} for formats where every line feed ends a record. */
export function findLastLine(bytes: Buffer, isLast: boolean): number {
  return isLast ? bytes.length : bytes.lastIndexOf(LINE_FEED) + 1
}
