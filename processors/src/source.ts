import type { Column } from './column.ts'
import type { Json } from './json.ts'

/**
 * Where rows come from: a file, a table, a generator. A source is a description until it is opened;
 * making one has no effect, and the same one may be opened again after a failure.
 */
export interface Source<Row> {
  readonly kind: 'source'
  /** Names it in topologies, stored positions and errors, such as `parquet flights-3m.parquet`. */
  readonly name: string
  /** A bounded source ends by itself. */
  readonly bounded: boolean
  /**
   * @throws UsageError when it can't be read as configured (no such file, not Parquet).
   * @throws UsageError when `position` belongs to other content (the file has changed).
   */
  open(context: SourceContext): Promise<SourceReader<Row>>
  /**
   * As `open`, for whoever decides record by record: one that is no row, where `open` ends the reading,
   * comes as a `MalformedRecord` among the rows, and counts as one. Absent where a bad record can't be told
   * from those behind it.
   */
  openLenient?(context: SourceContext): Promise<SourceReader<unknown>>
}

/** What a source is opened with. */
export interface SourceContext {
  /** Where to go on: the `position` of the last batch that was made durable; undefined at first. */
  readonly position: Json | undefined
  /** Stop reading soon after this fires; what was yielded already counts. */
  readonly signal: AbortSignal
}

/** A source being read, from the position that it was opened at. */
export interface SourceReader<Row> {
  /** The columns, where the source knows them before reading (Parquet, CSV with a header). */
  readonly columns?: readonly Column[]
  /** The columns are those of the first rows; later ones may have more. */
  readonly isSample?: boolean
  /** For progress; either may be unknown. Bytes are those of the input as stored (compressed). */
  readonly total: { readonly rows?: number; readonly bytes?: number }
  /**
   * Batches in order. The next one is asked for only when the last has been taken over, so that a
   * slow reader holds no more than one or two batches in memory.
   */
  batches(): AsyncIterable<SourceBatch<Row>>
  close(): Promise<void>
}

/** Some rows in a row, and where the source stands behind them. */
export interface SourceBatch<Row> {
  readonly rows: readonly Row[]
  /**
   * Stored in the same transaction as these rows. Opening the source there yields exactly the rows
   * after them.
   */
  readonly position: Json
  /** Bytes of input read so far since the beginning of the source, for progress. */
  readonly bytesRead: number
  /** Rows read so far since the beginning of the source, those before a resume included. */
  readonly rowsRead: number
}
