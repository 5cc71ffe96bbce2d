import type { ColumnType } from '@millrace/core'

/**
 * Sums up values of type V to a result of type R. Its state lives in `width` neighbouring cells of a
 * plain array, shared with the other aggregates of the same operator; cells hold what JSON can hold,
 * dates, bigints and bytes.
 */
export interface Aggregate<V, R> {
  /** Such as `mean`. */
  readonly kind: string
  readonly width: number
  /** The column type of its result, where it is always the same. */
  readonly columnType?: ColumnType
  /** Fills the cells from `at` for a group without values. */
  start(cells: unknown[], at: number): void
  /** Takes a value in. */
  add(cells: unknown[], at: number, value: V): void
  result(cells: readonly unknown[], at: number): R
}

/** What comes of a record of aggregates. */
export type Results<S> = {
  readonly [Name in keyof S]: S[Name] extends { result(cells: never, at: never): infer R }
    ? R
    : never
}
