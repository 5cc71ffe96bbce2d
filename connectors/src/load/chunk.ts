import type { Refusals } from '../postgres/refused-rows.ts'
import type { Session } from '../postgres/session.ts'
import type { Table } from '../postgres/table.ts'
import type { Range } from './ranges.ts'

/** Whole records of an input, held in memory until they are stored, in one transaction. */
export interface Chunk {
  readonly range: Range
  /** The input ends after it. */
  readonly isLast: boolean
  /** Bytes of the input, as stored, that were read for it. */
  readonly storedBytes: number
  /**
   * Copies the records straight into a table in append mode.
   *
   * @returns their number; undefined when they must go the way of {@link rows}.
   * @throws DatabaseError the server refused a record.
   */
  copy?(session: Session, table: Table): Promise<number | undefined>
  /** Makes rows of the records. */
  rows(): Promise<ChunkRows>
  /** The memory may be used for something else. */
  giveBack(): void
}

/** The records of a chunk one by one. */
export interface ChunkRows {
  /** A row is empty where the record is in `malformed`. */
  readonly values: readonly Readonly<Record<string, unknown>>[]
  /** Values are text that the server reads, into these columns; else they have types of their own. */
  readonly textColumns: readonly string[] | undefined
  /** Records that are none. */
  readonly malformed: Refusals
  /** A record as it stands in the input, with its line end; as JSON where that can't be read. */
  original(index: number): Buffer
  /** Where a record stands. */
  place(index: number): Promise<RecordPlace>
}

/** Where a record stands in its input. */
export interface RecordPlace {
  readonly file: string
  /** From 1, as an editor counts; of text. */
  readonly line?: number
  /** From 0, after decompression; of text. */
  readonly byte?: number
  /** From 1; where there are no lines. */
  readonly row?: number
}
