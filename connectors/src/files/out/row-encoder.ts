import type { Column } from '@millrace/processors'

/** A record's named key or value. */
export type Part = Readonly<Record<string, unknown>> | null

/** A row that the format has no form for; says which column and why. */
export class RowMisfit extends Error {}

/** Turns the rows of one file into its bytes. */
export interface RowEncoder {
  /** Takes a row. @throws RowMisfit it can't be written; then it was not taken. */
  add(key: Part, value: Part): void
  /** Rows from here on can be given up by {@link RowEncoder.undo}. */
  mark(): void
  /** Forgets the rows since {@link RowEncoder.mark}. */
  undo(): void
  /** About as many bytes are waiting in memory. */
  readonly waitingBytes: number
  /** Enough is waiting to be encoded together. */
  readonly isFull: boolean
  /** Encodes what is waiting; the bytes come after those of the call before. */
  take(isLast: boolean): Promise<Uint8Array>
}

/** A column of a file; without a type, the values say what they are. */
export type OutColumn = Pick<Column, 'name'> & Partial<Pick<Column, 'type' | 'array'>>

/** How files are written. */
export interface OutFormat {
  /** `csv`, `ndjson` or `parquet`. */
  readonly name: string
  /** With the dot: `.csv.gz`. */
  readonly extension: string
  /**
   * What a file must know of its columns before its first row: nothing, their names, or their types as
   * well.
   */
  readonly needs: 'nothing' | 'names' | 'types'
  /** @param without columns that the path already says. */
  begin(columns: readonly OutColumn[], without: ReadonlySet<string>): RowEncoder
}

/** Columns are looked for in the key first, then in the value. */
export function columnOf(key: Part, value: Part, name: string): unknown {
  if (key !== null && Object.hasOwn(key, name)) return key[name]
  if (value === null) return undefined
  // Objects inherit few names, and asking who owns one takes most of the time.
  return !(name in Object.prototype) || Object.hasOwn(value, name) ? value[name] : undefined
}
