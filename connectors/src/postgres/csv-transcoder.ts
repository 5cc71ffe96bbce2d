import type { CopyBuffer } from './copy-buffer.ts'
import type { WriteField } from './csv-fields.ts'
import { fieldWriter } from './csv-fields.ts'
import type { WrittenColumn } from './row-encoder.ts'

/** One ASCII character each; an unquoted field that holds `null` means null. */
export interface CsvTextDialect {
  readonly delimiter: string
  /** Empty when nothing is quoted. */
  readonly quote: string
  readonly null: string
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
/** Length and the longest value that is not longer than its text. */
const fieldBytesMax = 16
/** Records are written until this much is there to be sent. */
const sendBytes = 128 * 1024

/**
 * Turns CSV into rows of binary COPY, byte by byte and without a string or object for each field.
 * The server takes binary rows at one and a half times the speed of CSV.
 */
export class CsvTranscoder {
  /** Rows written so far. */
  records = 0
  readonly #writers: readonly (WriteField | undefined)[]
  readonly #written: number
  readonly #delimiter: number
  readonly #quote: number
  readonly #null: Buffer
  /** Quoted fields with doubled quotes, undoubled. */
  #scratch = Buffer.allocUnsafe(1024)
  #source: Buffer = this.#scratch
  #start = 0
  #end = 0

  private constructor(
    writers: readonly (WriteField | undefined)[],
    written: number,
    dialect: CsvTextDialect,
  ) {
    this.#writers = writers
    this.#written = written
    this.#delimiter = dialect.delimiter.charCodeAt(0)
    this.#quote = dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0)
    this.#null = Buffer.from(dialect.null)
  }

  /**
   * @param columns The column that each field goes to; undefined: to none.
   * @returns undefined when a column's type is left to the server.
   */
  static for(
    columns: readonly (WrittenColumn | undefined)[],
    dialect: CsvTextDialect,
  ): CsvTranscoder | undefined {
    const written = columns.filter((column) => column !== undefined)
    if (written.some(({ codec }) => fieldWriter(codec) === undefined)) return undefined
    const writers = columns.map((column) => fieldWriter(column?.codec))
    return new CsvTranscoder(writers, written.length, dialect)
  }

  /**
   * Writes records of `bytes` from `start` on, until `out` holds enough to be sent; empty lines are
   * passed over. Returns where the next record begins: `start` itself when the server had better read
   * the one there.
   */
  write(out: CopyBuffer, bytes: Buffer, start: number): number {
    let at = start
    while (at < bytes.length && out.position < sendBytes) {
      if (bytes[at] === LINE_FEED) at++
      else if (bytes[at] === CARRIAGE_RETURN && bytes[at + 1] === LINE_FEED) at += 2
      else {
        const before = out.position
        const next = this.#record(out, bytes, at)
        if (next < 0) {
          out.position = before
          return at
        }
        this.records++
        at = next
      }
    }
    return at
  }

  /** Where the next record begins; −1 when this one is left to the server. */
  #record(out: CopyBuffer, bytes: Buffer, start: number): number {
    const writers = this.#writers
    const quote = this.#quote
    const delimiter = this.#delimiter
    const last = writers.length - 1
    out.reserve(2 + writers.length * fieldBytesMax)
    out.view.setInt16(out.position, this.#written)
    out.position += 2
    let at = start
    for (let c = 0; c <= last; c++) {
      const isQuoted = bytes[at] === quote
      at = isQuoted ? this.#quotedField(bytes, at) : this.#field(bytes, at)
      if (at < 0) return -1
      if (c < last ? bytes[at] !== delimiter : at < bytes.length && bytes[at] !== LINE_FEED) {
        return -1
      }
      const writer = writers[c]
      if (writer !== undefined && !this.#write(out, writer, isQuoted)) return -1
      at++
    }
    // The last line may have no end.
    return Math.min(at, bytes.length)
  }

  #write(out: CopyBuffer, writer: WriteField, isQuoted: boolean): boolean {
    const length = this.#end - this.#start
    if (out.position + length + fieldBytesMax > out.bytes.length) {
      out.reserve(length + this.#written * fieldBytesMax)
    }
    if (isQuoted || length !== this.#null.length || !this.#isNull()) {
      return writer(out, this.#source, this.#start, this.#end)
    }
    out.view.setInt32(out.position, -1)
    out.position += 4
    return true
  }

  #field(bytes: Buffer, start: number): number {
    const { length } = bytes
    const delimiter = this.#delimiter
    const quote = this.#quote
    let at = start
    for (; at < length; at++) {
      const byte = bytes[at]
      if (byte === delimiter || byte === LINE_FEED) break
      if (byte === quote) return -1
    }
    this.#source = bytes
    this.#start = start
    const hasReturn = at > start && bytes[at - 1] === CARRIAGE_RETURN && bytes[at] === LINE_FEED
    this.#end = hasReturn ? at - 1 : at
    return at
  }

  #quotedField(bytes: Buffer, start: number): number {
    const { length } = bytes
    const quote = this.#quote
    let at = start + 1
    while (at < length && bytes[at] !== quote) at++
    this.#source = bytes
    this.#start = start + 1
    this.#end = at
    if (bytes[at + 1] === quote) at = this.#undouble(bytes, start + 1, at)
    if (at >= length) return -1
    return bytes[at + 1] === CARRIAGE_RETURN && bytes[at + 2] === LINE_FEED ? at + 2 : at + 1
  }

  /** Copies a field without the second of each two quotes; returns where its closing quote stands. */
  #undouble(bytes: Buffer, start: number, firstQuote: number): number {
    const quote = this.#quote
    this.#makeRoom(0, firstQuote - start)
    let scratch = this.#scratch
    let length = bytes.copy(scratch, 0, start, firstQuote)
    let at = firstQuote
    for (; at < bytes.length; at++) {
      const byte = bytes[at] as number
      if (byte === quote && bytes[++at] !== quote) {
        at--
        break
      }
      if (length === scratch.length) {
        this.#makeRoom(length, 1)
        scratch = this.#scratch
      }
      scratch[length++] = byte
    }
    this.#source = scratch
    this.#start = 0
    this.#end = length
    return at
  }

  #makeRoom(used: number, more: number): void {
    if (used + more <= this.#scratch.length) return
    const larger = Buffer.allocUnsafe(2 * (used + more))
    this.#scratch.copy(larger, 0, 0, used)
    this.#scratch = larger
  }

  /** The lengths are the same. */
  #isNull(): boolean {
    const { length } = this.#null
    return length === 0 || this.#source.compare(this.#null, 0, length, this.#start, this.#end) === 0
  }
}
