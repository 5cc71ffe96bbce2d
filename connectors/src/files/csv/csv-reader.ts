import type { FileHandle } from 'node:fs/promises'
import type { Column, SourceBatch, SourceContext, SourceReader } from '@millrace/processors'
import type { FileIdentity } from '../file-identity.ts'
import { identifyFile, openFile, readFilePosition, refuseChangedFile } from '../file-identity.ts'
import type { FileRow } from '../row-maker.ts'
import type { FileRecord } from '../text/lenient-decoder.ts'
import type { BlockLimits } from '../text/block-cutter.ts'
import { openBytes } from '../text/byte-reader.ts'
import type { CsvBlock } from './csv-blocks.ts'
import { CsvBlocks } from './csv-blocks.ts'
import { CsvDecoder } from './csv-decoder.ts'
import type { CsvLayout, CsvManner } from './csv-layout.ts'
import { probeCsv } from './csv-layout.ts'
import type { CsvDialect } from './csv-scan.ts'
import type { CsvOptions } from './csv.ts'

// Some 8,000 rows of 35 bytes: large enough for the loops, small enough for the young generation.
const BLOCK_BYTES = 128 * 1024
const COUNTERS = ['byte', 'rows'] as const

/** Opens a file as {@link CsvOptions} say, at a stored position or at its first record. */
export async function openCsv(
  path: string,
  options: CsvOptions,
  { position, signal }: SourceContext,
  manner: CsvManner = { isLenient: false, like: [] },
): Promise<CsvReader> {
  const file = await openFile(path)
  try {
    const identity = await identifyFile(file)
    const stored = position === undefined ? undefined : readFilePosition(path, position, COUNTERS)
    if (stored) refuseChangedFile(path, stored, identity)
    const limits = { blockBytes: BLOCK_BYTES, maxRecordBytes: maxRecordBytes(options) }
    const layout = await probeCsv(path, file, options, limits, manner)
    const start = stored ?? { byte: layout.bodyByte, rows: 0 }
    return new CsvReader({ path, file, identity, layout, limits, start, signal, ...manner })
  } catch (error) {
    await file.close()
    throw error
  }
}

function maxRecordBytes(options: CsvOptions): number {
  return Math.max(options.maxRecordBytes ?? 16 * 1024 * 1024, BLOCK_BYTES)
}

interface CsvStart {
  readonly path: string
  readonly file: FileHandle
  readonly identity: FileIdentity
  readonly layout: CsvLayout
  readonly limits: BlockLimits
  readonly start: { readonly byte: number; readonly rows: number }
  readonly signal: AbortSignal
  readonly isLenient: boolean
}

/** An open CSV file: rows in batches, or blocks of whole records as they stand in the file. */
export class CsvReader implements SourceReader<FileRecord> {
  readonly path: string
  readonly columns: readonly Column[]
  readonly dialect: CsvDialect
  readonly identity: FileIdentity
  readonly isCompressed: boolean
  readonly total: { readonly bytes: number }
  readonly #from: CsvStart
  readonly #decoder: CsvDecoder

  constructor(from: CsvStart) {
    this.path = from.path
    this.columns = from.layout.columns
    this.dialect = from.layout.dialect
    this.identity = from.identity
    this.isCompressed = from.layout.isCompressed
    this.total = { bytes: from.identity.sizeBytes }
    this.#from = from
    this.#decoder = new CsvDecoder(from.path, from.layout)
  }

  async *batches(): AsyncGenerator<SourceBatch<FileRecord>> {
    const { start, signal, isLenient } = this.#from
    const blocks = await this.openBlocks(start.byte)
    const lenient = isLenient ? this.#decoder.lenient() : undefined
    let rowsRead = start.rows
    try {
      for (let block = await blocks.next(); block; block = await blocks.next()) {
        if (signal.aborted) return
        const rows = await (lenient?.rows(block) ?? this.decode(block))
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

  /** What stands before the first record: the header with its line end, or nothing. */
  async readHeader(): Promise<Buffer> {
    const { path, file, layout } = this.#from
    const reader = await openBytes(path, file, 0)
    try {
      const header = Buffer.alloc(layout.bodyByte)
      let filled = 0
      while (filled < header.length) {
        const count = await reader.read(header.subarray(filled))
        if (count === 0) break
        filled += count
      }
      return header.subarray(0, filled)
    } finally {
      reader.close()
    }
  }

  /** Cuts the file into blocks from a byte on, up to another; the caller closes them. */
  openBlocks(
    startByte: number,
    { endByte = Infinity, ...others }: Partial<BlockLimits> & { endByte?: number } = {},
  ): Promise<CsvBlocks> {
    const { path, file, layout, isLenient } = this.#from
    const { maxRecordBytes } = this.#from.limits
    const limits = { ...this.#from.limits, ...others }
    const longer = Math.max(maxRecordBytes, limits.blockBytes)
    return CsvBlocks.open({
      path,
      file,
      dialect: layout.dialect,
      limits: { ...limits, maxRecordBytes: longer },
      startByte,
      endByte,
      isLenient,
    })
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
