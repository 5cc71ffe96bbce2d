import type { FileHandle } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { UsageError } from '@millrace/core'
import type { Column, ColumnType, SourceBatch, SourceReader } from '@millrace/processors'
import type { FileIdentity } from '../file-identity.ts'
import { identifyFile, openFile, readFilePosition, refuseChangedFile } from '../file-identity.ts'
import type { InputPlace } from '../input-error.ts'
import type { FileSource } from '../file-source.ts'
import type { FileRow } from '../row-maker.ts'
import type { BlockLimits } from '../text/block-cutter.ts'
import { placeAt } from '../text/line-number.ts'
import type { CsvBlock } from './csv-blocks.ts'
import { CsvBlocks } from './csv-blocks.ts'
import { CsvDecoder } from './csv-decoder.ts'
import type { CsvLayout } from './csv-layout.ts'
import { probeCsv } from './csv-layout.ts'
import type { CsvDialect } from './csv-scan.ts'

/** Options of {@link csv}. */
export interface CsvOptions {
  /** The first record names the columns. Default true. */
  readonly header?: boolean
  /** One character. Default: whichever of `, ; tab |` the first line has most of. */
  readonly delimiter?: string
  /** One character, doubled inside quoted fields; `''` when nothing is quoted. Default `"`. */
  readonly quote?: string
  /** What an unquoted field holds when it means null. Default `''`: nothing at all. */
  readonly null?: string
  /** Types by column name; others are inferred from the first 256 KiB. */
  readonly columns?: Readonly<Record<string, ColumnType>>
  /** A longer record is an error, so that an unclosed quote can't swallow the file. Default 16 MiB. */
  readonly maxRecordBytes?: number
}

/**
 * Reads a CSV file's records in order, plain or compressed with gzip or zstd (known by content, not
 * by name). Strict: broken quotes, a missing or surplus field, text that is not UTF-8 and a value
 * that doesn't fit its column's type are errors that name file, line and byte, never a guess.
 *
 * The position is the byte after the last record (before compression) plus the file's identity, so
 * reading goes on exactly where it stopped; a file changed in between is refused (INPUT_CHANGED).
 */
export function csv<Row = FileRow>(path: string, options: CsvOptions = {}): FileSource<Row> {
  checkOptions(options)
  return {
    kind: 'source',
    name: `csv ${basename(path)}`,
    bounded: true,
    path: resolve(path),
    async open(context) {
      const file = await openFile(path)
      try {
        const identity = await identifyFile(file)
        const limits = { blockBytes: BLOCK_BYTES, maxRecordBytes: maxRecordBytes(options) }
        const layout = await probeCsv(path, file, options, limits)
        let start = { byte: layout.bodyByte, rows: 0 }
        if (context.position !== undefined) {
          const { file: stored, ...at } = readFilePosition(path, context.position, COUNTERS)
          refuseChangedFile(path, stored, identity)
          start = at
        }
        const from = { path, file, identity, layout, limits, start, signal: context.signal }
        return new CsvReader(from) as unknown as SourceReader<Row>
      } catch (error) {
        await file.close()
        throw error
      }
    },
  }
}

// Some 8,000 rows of 35 bytes: large enough for the loops, small enough for the young generation.
const BLOCK_BYTES = 128 * 1024
const COUNTERS = ['byte', 'rows'] as const

interface CsvStart {
  readonly path: string
  readonly file: FileHandle
  readonly identity: FileIdentity
  readonly layout: CsvLayout
  readonly limits: BlockLimits
  readonly start: { readonly byte: number; readonly rows: number }
  readonly signal: AbortSignal
}

/** An open CSV file: rows in batches, or blocks of whole records as they stand in the file. */
export class CsvReader implements SourceReader<FileRow> {
  readonly path: string
  readonly columns: readonly Column[]
  readonly dialect: CsvDialect
  readonly total: { readonly bytes: number }
  readonly #from: CsvStart
  readonly #decoder: CsvDecoder

  constructor(from: CsvStart) {
    this.path = from.path
    this.columns = from.layout.columns
    this.dialect = from.layout.dialect
    this.total = { bytes: from.identity.sizeBytes }
    this.#from = from
    this.#decoder = new CsvDecoder(from.path, from.layout)
  }

  async *batches(): AsyncGenerator<SourceBatch<FileRow>> {
    const { start, signal } = this.#from
    const blocks = await this.openBlocks(start.byte)
    let rowsRead = start.rows
    try {
      for (let block = await blocks.next(); block; block = await blocks.next()) {
        if (signal.aborted) return
        const rows = await this.decode(block)
        if (rows.length === 0) continue
        rowsRead += rows.length
        const bytesRead = Math.min(blocks.storedBytes, this.total.bytes)
        const position = this.positionAt(block.byte + block.bytes.length, rowsRead)
        yield { rows, position, bytesRead, rowsRead }
      }
    } finally {
      blocks.close()
    }
  }

  /** Where reading begins: the next record's byte, and the rows before it. */
  get start(): { readonly byte: number; readonly rows: number } {
    return this.#from.start
  }

  /** Cuts the file into blocks from a byte on; the caller closes them. */
  openBlocks(startByte: number): Promise<CsvBlocks> {
    const { path, file, layout, limits } = this.#from
    return CsvBlocks.open({ path, file, dialect: layout.dialect, limits, startByte })
  }

  /**
   * Where the first record at or after `startByte` stands that `isIt` holds for; for errors that a
   * database finds. The last one when there is none.
   */
  async findRecord(startByte: number, isIt: (record: Buffer) => boolean): Promise<InputPlace> {
    const blocks = await this.openBlocks(startByte)
    let byte = startByte
    try {
      for (let block = await blocks.next(); block; block = await blocks.next()) {
        let start = 0
        for (const end of this.#decoder.recordEnds(block)) {
          byte = block.byte + start
          if (isIt(block.bytes.subarray(start, end))) return await placeAt(this.path, byte)
          start = end
        }
      }
    } finally {
      blocks.close()
    }
    return placeAt(this.path, byte)
  }

  /** Turns a block into rows. @throws RejectedError INPUT_MALFORMED naming line and byte. */
  decode(block: CsvBlock): Promise<FileRow[]> {
    return this.#decoder.decode(block)
  }

  /** The position at a record's byte, with `rows` before it. */
  positionAt(byte: number, rows: number): { byte: number; rows: number; file: FileIdentity } {
    return { byte, rows, file: this.#from.identity }
  }

  close(): Promise<void> {
    return this.#from.file.close()
  }
}

function maxRecordBytes(options: CsvOptions): number {
  return Math.max(options.maxRecordBytes ?? 16 * 1024 * 1024, BLOCK_BYTES)
}

function checkOptions({ delimiter, quote, columns, header }: CsvOptions): void {
  if (delimiter !== undefined && !isOneAscii(delimiter)) {
    throw new UsageError('USAGE', `csv: delimiter is one ASCII character, not "${delimiter}".`)
  }
  if (quote !== undefined && quote !== '' && !isOneAscii(quote)) {
    throw new UsageError('USAGE', `csv: quote is one ASCII character or empty, not "${quote}".`)
  }
  if (header === false && columns && Object.keys(columns).length === 0) {
    throw new UsageError('USAGE', 'csv: columns names no column; leave it out or name them all.')
  }
}

function isOneAscii(text: string): boolean {
  return text.length === 1 && text.charCodeAt(0) < 128 && text !== '\n' && text !== '\r'
}
