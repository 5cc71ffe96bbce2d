import type { FileHandle } from 'node:fs/promises'
import { UsageError } from '@millrace/core'
import type { FileMetaData, RowGroup, SchemaTree } from 'hyparquet'
import { readExactly } from '../file-identity.ts'
import { damaged, unreadable } from '../input-error.ts'
import { requireFewColumns } from '../row-maker.ts'
import { ColumnPages } from './column-pages.ts'
import type { ParquetColumn } from './column-type.ts'
import { parquetColumns } from './column-type.ts'
import type { Compressors } from './compressors.ts'
import { compressorsFor } from './compressors.ts'
import { readNestedColumn } from './nested-column.ts'
import { PageValues } from './page-values.ts'

/** A stretch of rows: entry c holds the values of column c from `starts[c]` on. */
export interface ColumnStretch {
  readonly columns: readonly ArrayLike<unknown>[]
  readonly starts: readonly number[]
  readonly count: number
}

/** An open Parquet file: its columns, and its rows in stretches of columns. */
export class ParquetFile {
  readonly columns: readonly ParquetColumn[]
  readonly rowCount: number
  readonly #path: string
  readonly #file: FileHandle
  readonly #metadata: FileMetaData
  readonly #compressors: Compressors
  readonly #pageValues = new Map<ParquetColumn, PageValues>()

  private constructor(
    path: string,
    file: FileHandle,
    metadata: FileMetaData,
    root: SchemaTree,
    compressors: Compressors,
  ) {
    this.#path = path
    this.#file = file
    this.#metadata = metadata
    this.#compressors = compressors
    requireFewColumns(path, root.children.length)
    this.columns = parquetColumns(metadata, root)
    this.rowCount = Number(metadata.num_rows)
  }

  /** @throws UsageError INPUT_UNREADABLE when the file isn't Parquet, or was cut short. */
  static async open(path: string, file: FileHandle, sizeBytes: number): Promise<ParquetFile> {
    await refuseOtherFormats(path, file, sizeBytes)
    const { parquetMetadataAsync, parquetSchema } = await import('hyparquet')
    try {
      const metadata = await parquetMetadataAsync({
        byteLength: sizeBytes,
        slice: async (start, end = sizeBytes) =>
          (await readExactly(file, start, end - start)).buffer,
      })
      const compressors = await compressorsFor(metadata)
      return new ParquetFile(path, file, metadata, parquetSchema(metadata), compressors)
    } catch (error) {
      if (error instanceof UsageError) throw error
      const reason = `its footer makes no sense (${messageOf(error)})`
      throw unreadable(path, reason, 'The file is damaged; fetch it again.', error)
    }
  }

  get rowGroups(): number {
    return this.#metadata.row_groups.length
  }

  rowsIn(rowGroup: number): number {
    return Number(this.#group(rowGroup).num_rows)
  }

  /** Compressed bytes of a row group. */
  bytesIn(rowGroup: number): number {
    const chunks = this.#group(rowGroup).columns
    return chunks.reduce(
      (sum, chunk) => sum + Number(chunk.meta_data?.total_compressed_size ?? 0),
      0,
    )
  }

  /**
   * Reads a row group from its row `firstRow` on; a stretch ends where a page of any column does.
   *
   * @throws CorruptDataError INPUT_DAMAGED when bytes contradict the footer.
   */
  async *stretches(rowGroup: number, firstRow: number): AsyncGenerator<ColumnStretch> {
    const rows = this.rowsIn(rowGroup)
    try {
      const cursors = await Promise.all(
        this.columns.map((column) => this.#cursor(rowGroup, column, firstRow)),
      )
      for (let row = firstRow; row < rows;) {
        let count = rows - row
        for (const cursor of cursors) count = Math.min(count, await cursor.available())
        const columns = cursors.map((cursor) => cursor.values)
        const starts = cursors.map((cursor) => cursor.take(count))
        yield { columns, starts, count }
        row += count
      }
    } catch (error) {
      const byte = Number(this.#group(rowGroup).columns[0]?.meta_data?.data_page_offset ?? 0)
      throw damaged(this.#path, byte, `row group ${rowGroup}: ${messageOf(error)}`, error)
    }
  }

  #group(rowGroup: number): RowGroup {
    const group = this.#metadata.row_groups[rowGroup]
    if (!group) throw new RangeError(`no row group ${rowGroup}`)
    return group
  }

  async #cursor(rowGroup: number, column: ParquetColumn, firstRow: number): Promise<ColumnCursor> {
    if (column.conversion === 'nested') {
      const values = await this.#nested(rowGroup, column.name)
      return new ColumnCursor(oneStretch(values), firstRow)
    }
    const chunk = this.#group(rowGroup).columns.find(
      ({ meta_data: data }) => data?.path_in_schema[0] === column.name,
    )?.meta_data
    if (!chunk) throw new RangeError(`column ${column.name} has no data`)
    const values = this.#pageValues.get(column) ?? new PageValues(column, this.#compressors)
    this.#pageValues.set(column, values)
    const pages = new ColumnPages(this.#file, chunk, values)
    return new ColumnCursor(pages, firstRow - (await pages.skip(firstRow)))
  }

  #nested(rowGroup: number, column: string): Promise<unknown[]> {
    let rowStart = 0
    for (let group = 0; group < rowGroup; group++) rowStart += this.rowsIn(group)
    const rowEnd = rowStart + this.rowsIn(rowGroup)
    return readNestedColumn({
      file: this.#file,
      metadata: this.#metadata,
      compressors: this.#compressors,
      column,
      rowStart,
      rowEnd,
    })
  }
}

/** Where a column stands: the values of its current page, and how many are used up. */
class ColumnCursor {
  values: ArrayLike<unknown> = []
  readonly #pages: { next(): Promise<ArrayLike<unknown> | undefined> }
  #used: number

  constructor(pages: { next(): Promise<ArrayLike<unknown> | undefined> }, skip: number) {
    this.#pages = pages
    this.#used = skip
  }

  async available(): Promise<number> {
    while (this.#used >= this.values.length) {
      this.#used -= this.values.length
      const values = await this.#pages.next()
      if (!values) throw new RangeError('a column ends before its row group does')
      this.values = values
    }
    return this.values.length - this.#used
  }

  /** Takes `count` values; returns where they start in `values`. */
  take(count: number): number {
    const start = this.#used
    this.#used += count
    return start
  }
}

function oneStretch(values: unknown[]): { next(): Promise<unknown[] | undefined> } {
  let rest: unknown[] | undefined = values
  return {
    next: async () => {
      const values = rest
      rest = undefined
      return values
    },
  }
}

const MAGIC = 'PAR1'

async function refuseOtherFormats(path: string, file: FileHandle, size: number): Promise<void> {
  const head = (await readExactly(file, 0, 4)).toString('latin1')
  if (head !== MAGIC) {
    throw unreadable(path, 'not a Parquet file (it does not begin with PAR1)', 'Check the path.')
  }
  const tail = (await readExactly(file, Math.max(0, size - 4), 4)).toString('latin1')
  if (tail === MAGIC && size >= 12) return
  const reason = `the Parquet file was cut short: its footer is missing at byte ${size}`
  throw unreadable(path, reason, 'Fetch the file again; a whole one ends with PAR1.')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
