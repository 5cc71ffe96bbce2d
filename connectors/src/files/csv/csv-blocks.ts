import type { FileHandle } from 'node:fs/promises'
import { invariant } from '@millrace/core'
import { malformed } from '../input-error.ts'
import type { ByteReader } from '../text/byte-reader.ts'
import { openBytes } from '../text/byte-reader.ts'
import type { Block, BlockLimits } from '../text/block-cutter.ts'
import { BlockCutter, RecordTooLong } from '../text/block-cutter.ts'
import { placeAt } from '../text/line-number.ts'
import type { CsvDialect, CsvScan } from './csv-scan.ts'
import { scanCsv } from './csv-scan.ts'

/** A block of whole records and what a look at its bytes told. */
export interface CsvBlock extends Block {
  readonly scan: CsvScan
}

/** What to cut, and where to begin. */
export interface CsvBlocksRequest {
  readonly path: string
  readonly file: FileHandle
  readonly dialect: CsvDialect
  readonly limits: BlockLimits
  /** Start of a record, in bytes after decompression. */
  readonly startByte: number
  /** End of a record, where reading ends; default: the file's end. */
  readonly endByte?: number
}

/** Thrown inside the cutter; replaced by an error with the line before it leaves. */
class BadQuote extends Error {
  readonly byte: number

  constructor(byte: number, reason: string) {
    super(reason)
    this.byte = byte
  }
}

/** Cuts a CSV file into blocks of whole records, strict about quotes. */
export class CsvBlocks {
  readonly #request: CsvBlocksRequest
  readonly #reader: ByteReader
  readonly #cutter: BlockCutter
  #scan: CsvScan | undefined
  #blockByte: number

  private constructor(request: CsvBlocksRequest, reader: ByteReader) {
    const { startByte, limits } = request
    this.#request = request
    this.#reader = reader
    this.#blockByte = startByte
    const findEnd = (bytes: Buffer, isLast: boolean): number => this.#findEnd(bytes, isLast)
    this.#cutter = new BlockCutter(reader, startByte, findEnd, limits)
  }

  static async open(request: CsvBlocksRequest): Promise<CsvBlocks> {
    const { path, file, startByte, endByte } = request
    const reader = await openBytes(path, file, startByte, endByte)
    return new CsvBlocks(request, reader)
  }

  /** Bytes of the file as stored that were read so far. */
  get storedBytes(): number {
    return this.#reader.storedBytes
  }

  /**
   * The next block; undefined after the last.
   *
   * @throws RejectedError INPUT_MALFORMED for broken quoting and for a record past the limit.
   * @throws CorruptDataError INPUT_DAMAGED when compressed data is broken.
   */
  async next(): Promise<CsvBlock | undefined> {
    try {
      const block = await this.#cutter.next()
      if (!block) return undefined
      invariant(this.#scan !== undefined, 'a block was cut without a look at it')
      this.#blockByte = block.byte + block.bytes.length
      return { ...block, scan: this.#scan }
    } catch (error) {
      throw await this.#explain(error)
    }
  }

  close(): void {
    this.#reader.close()
  }

  #findEnd(bytes: Buffer, isLast: boolean): number {
    const scan = scanCsv(bytes, this.#request.dialect, isLast)
    this.#scan = scan
    // What comes before the bad quote is still good: it goes out first.
    if (scan.malformed && scan.end === 0) {
      throw new BadQuote(this.#blockByte + scan.malformed.at, scan.malformed.reason)
    }
    return scan.end
  }

  async #explain(error: unknown): Promise<unknown> {
    const { path, limits } = this.#request
    if (error instanceof BadQuote) {
      const place = await placeAt(path, error.byte)
      const next = 'Double quotes inside quoted fields, or turn quoting off with quote: "".'
      return malformed(place, error.message, next)
    }
    if (!(error instanceof RecordTooLong)) return error
    const openAt = this.#scan?.openQuoteAt
    const place = await placeAt(path, error.byte + (openAt ?? 0))
    if (openAt === undefined) {
      const reason = `a record longer than ${limits.maxRecordBytes} bytes begins here`
      return malformed(place, reason, 'Raise maxRecordBytes if that is meant.')
    }
    const opened = 'the quote that opens here is not closed'
    if (error.atEnd) return malformed(place, `${opened} before the file ends`, 'Close it.')
    const reason = `${opened} within ${limits.maxRecordBytes} bytes`
    return malformed(place, reason, 'Close it, or raise maxRecordBytes if the field is that long.')
  }
}
