import type { FileHandle } from 'node:fs/promises'
import type { Column, SourceBatch, SourceContext, SourceReader } from '@millrace/processors'
import type { FileIdentity } from '../file-identity.ts'
import { identifyFile, openFile, readFilePosition, refuseChangedFile } from '../file-identity.ts'
import type { FileRow, RowMaker } from '../row-maker.ts'
import { compileRowMaker } from '../row-maker.ts'
import { ParquetFile } from './parquet-file.ts'

const BATCH_ROWS = 8192

/** Opens a file at a stored position or at its first row; `limit` counts from the first. */
export async function openParquet(
  path: string,
  limit: number | undefined,
  context: SourceContext,
): Promise<SourceReader<FileRow>> {
  const file = await openFile(path)
  try {
    const identity = await identifyFile(file)
    const from = startPosition(path, context, identity)
    const parquetFile = await ParquetFile.open(path, file, identity.sizeBytes)
    return new ParquetReader(path, file, parquetFile, identity, from, context.signal, limit)
  } catch (error) {
    await file.close()
    throw error
  }
}

interface ParquetPosition {
  readonly rowGroup: number
  /** Row inside the row group. */
  readonly row: number
}

function startPosition(path: string, context: SourceContext, now: FileIdentity): ParquetPosition {
  if (context.position === undefined) return { rowGroup: 0, row: 0 }
  const { file, ...position } = readFilePosition(path, context.position, ['rowGroup', 'row'])
  refuseChangedFile(path, { file }, now)
  return position
}

/** An open Parquet file: rows in batches, from any row on. */
export class ParquetReader implements SourceReader<FileRow> {
  readonly path: string
  readonly identity: FileIdentity
  readonly columns: readonly Column[]
  readonly total: { readonly rows: number; readonly bytes: number }
  readonly #file: FileHandle
  readonly #parquet: ParquetFile
  readonly #from: ParquetPosition
  readonly #signal: AbortSignal
  readonly #makeRows: RowMaker

  constructor(
    path: string,
    file: FileHandle,
    parquetFile: ParquetFile,
    identity: FileIdentity,
    from: ParquetPosition,
    signal: AbortSignal,
    limit = Infinity,
  ) {
    this.#file = file
    this.#parquet = parquetFile
    this.path = path
    this.identity = identity
    this.#from = from
    this.#signal = signal
    this.columns = parquetFile.columns.map(publicColumn)
    this.#makeRows = compileRowMaker(this.columns.map((column) => column.name))
    this.total = { rows: Math.min(parquetFile.rowCount, limit), bytes: identity.sizeBytes }
  }

  batches(): AsyncGenerator<SourceBatch<FileRow>> {
    return this.batchesFrom(this.#from)
  }

  /** Where a row stands, counted from the first of the file. */
  positionOf(row: number): { readonly rowGroup: number; readonly row: number } {
    let left = row
    for (let rowGroup = 0; rowGroup < this.#parquet.rowGroups; rowGroup++) {
      const rows = this.#parquet.rowsIn(rowGroup)
      if (left < rows) return { rowGroup, row: left }
      left -= rows
    }
    return { rowGroup: this.#parquet.rowGroups, row: 0 }
  }

  /** As {@link batches}, from another position on. */
  async *batchesFrom(from: ParquetPosition): AsyncGenerator<SourceBatch<FileRow>> {
    let rowsRead = 0
    let bytesBefore = 0
    for (let rowGroup = 0; rowGroup < this.#parquet.rowGroups; rowGroup++) {
      const groupRows = this.#parquet.rowsIn(rowGroup)
      const groupBytes = this.#parquet.bytesIn(rowGroup)
      const firstRow = this.#firstRow(rowGroup, from)
      const groupStart = rowsRead
      rowsRead += firstRow
      for await (const { rows, row } of this.#groupBatches(rowGroup, firstRow, rowsRead)) {
        rowsRead = groupStart + row
        const position = { rowGroup, row, file: this.identity }
        const isLast = rowsRead >= this.total.rows
        const inGroup = Math.round(groupBytes * (row / groupRows))
        const bytesRead = isLast ? this.total.bytes : bytesBefore + inGroup
        yield { rows, position, rowsRead, bytesRead }
        if (this.#signal.aborted) return
      }
      if (rowsRead >= this.total.rows) return
      bytesBefore += groupBytes
    }
  }

  /** Batches of a row group, each with the row inside the group that it ends before. */
  async *#groupBatches(
    rowGroup: number,
    firstRow: number,
    rowsBefore: number,
  ): AsyncGenerator<{ rows: FileRow[]; row: number }> {
    const lastRow = firstRow + this.total.rows - rowsBefore
    let rows: FileRow[] = []
    let row = firstRow
    if (row >= lastRow || row >= this.#parquet.rowsIn(rowGroup)) return
    for await (const stretch of this.#parquet.stretches(rowGroup, firstRow)) {
      const starts = [...stretch.starts]
      for (let left = Math.min(stretch.count, lastRow - row); left > 0;) {
        const count = Math.min(left, BATCH_ROWS - rows.length)
        this.#makeRows(rows, stretch.columns, starts, count)
        for (let c = 0; c < starts.length; c++) starts[c] = (starts[c] as number) + count
        left -= count
        row += count
        if (rows.length < BATCH_ROWS) continue
        yield { rows, row }
        rows = []
      }
      if (row >= lastRow) break
    }
    if (rows.length > 0) yield { rows, row }
  }

  /** Rows of a row group that were read before the position we started from. */
  #firstRow(rowGroup: number, { rowGroup: startGroup, row }: ParquetPosition): number {
    if (rowGroup < startGroup) return this.#parquet.rowsIn(rowGroup)
    return rowGroup === startGroup ? row : 0
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

function publicColumn({ name, type, nullable, array }: Column): Column {
  return array === undefined ? { name, type, nullable } : { name, type, nullable, array }
}
