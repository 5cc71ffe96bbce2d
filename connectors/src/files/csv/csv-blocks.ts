import type { FileHandle } from 'node:fs/promises'
import { type RejectedError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import { type InputPlace, malformed } from '../input-error.ts'
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
  /** The block is one record, whose quotes break the rules there. */
  readonly broken?: BadQuote
}

type BadQuote = NonNullable<CsvScan['malformed']>

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
  /** Give records with broken quotes, each as a block of its own, instead of ending there. */
  readonly isLenient?: boolean
}

const LINE_FEED = 0x0a

/** Where to cut text that was looked at: behind its whole records, or where the first is broken, behind its line. */
export function cutAfter(scan: CsvScan, bytes: Buffer, isLast: boolean): number {
  if (scan.malformed === undefined || scan.end > 0) return scan.end
  const lineFeed = bytes.indexOf(LINE_FEED, scan.malformed.at)
  if (lineFeed >= 0) return lineFeed + 1
  return isLast ? bytes.length : 0
}

/** The block of text that was cut so. */
export function csvBlock(block: Block, scan: CsvScan): CsvBlock {
  const { malformed: broken, end } = scan
  return broken === undefined || end > 0 ? { ...block, scan } : { ...block, scan, broken }
}

/** The error for a record whose quotes break the rules. */
export function badQuote(place: InputPlace, { reason }: BadQuote): RejectedError {
  const next = 'Double quotes inside quoted fields, or turn quoting off with quote: "".'
  return malformed(place, reason, next)
}

/** Cuts a CSV file into blocks of whole records, strict about quotes. */
export class CsvBlocks {
  readonly #request: CsvBlocksRequest
  readonly #reader: ByteReader
  readonly #cutter: BlockCutter
  #scan: CsvScan | undefined

  private constructor(request: CsvBlocksRequest, reader: ByteReader) {
    const { startByte, limits } = request
    this.#request = request
    this.#reader = reader
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
      const found = csvBlock(block, this.#scan)
      if (found.broken && this.#request.isLenient !== true) throw await this.#badQuote(found.byte)
      return found
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
    return cutAfter(scan, bytes, isLast)
  }

  async #explain(error: unknown): Promise<unknown> {
    const { path, limits } = this.#request
    if (!(error instanceof RecordTooLong)) return error
    if (this.#scan?.malformed) return this.#badQuote(error.byte)
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
  async #badQuote(byte: number): Promise<unknown> {
    const bad = this.#scan?.malformed
    invariant(bad !== undefined, 'a quote is bad that was not looked at')
    return badQuote(await placeAt(this.#request.path, byte + bad.at), bad)
  }
}
