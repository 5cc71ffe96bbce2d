/** Types that schemas, files and database columns are matched by. */
export type ColumnType =
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'decimal'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'date'
  | 'uuid'
  | 'json'

/** A named, typed column of rows. */
export interface Column {
  readonly name: string
  readonly type: ColumnType
  readonly nullable: boolean
  /** The column holds arrays of `type`. */
  readonly array?: boolean
  /** Nothing says what the values are; `type` is then `json`, which holds any of them. */
  readonly isUntyped?: boolean
}
