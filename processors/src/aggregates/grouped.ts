import type { Column } from '@millrace/core'
import type { Aggregate } from './aggregate.ts'

/** Several aggregates side by side in one array of cells. */
export interface GroupedAggregate {
  /** Changes when state of the one can't be read as state of the other. */
  readonly shape: string
  /** Names of its results; none when the result is the whole value. */
  readonly names: readonly string[]
  readonly columns: readonly Column[] | undefined
  /** Fills the cells from `firstCell` on. */
  start(cells: unknown[]): void
  add(cells: unknown[], value: unknown): void
  result(cells: readonly unknown[]): unknown
}

/** Cells before the first aggregate's; they belong to the operator. */
export const FIRST_CELL = 1

/** Puts named aggregates side by side; the result is an object of these names. */
export function groupAggregates(
  named: Readonly<Record<string, Aggregate<never, unknown>>>,
): GroupedAggregate {
  const parts = place(named)
  const columns = parts.map(({ name, aggregate }) =>
    aggregate.columnType === undefined
      ? undefined
      : { name, type: aggregate.columnType, nullable: false },
  )
  return {
    shape: parts.map(({ name, aggregate }) => `${name}: ${aggregate.kind}`).join(', '),
    names: parts.map((part) => part.name),
    columns: columns.every((column) => column !== undefined) ? columns : undefined,
    start(cells) {
      for (const { aggregate, at } of parts) aggregate.start(cells, at)
    },
    add(cells, value) {
      for (const part of parts) part.aggregate.add(cells, part.at, value as never)
    },
    result(cells) {
      const row: Record<string, unknown> = {}
      for (const part of parts) row[part.name] = part.aggregate.result(cells, part.at)
      return row
    },
  }
}

/** One aggregate whose result is the whole value. */
export function singleAggregate(aggregate: Aggregate<never, unknown>): GroupedAggregate {
  return {
    shape: aggregate.kind,
    names: [],
    columns: undefined,
    start: (cells) => aggregate.start(cells, FIRST_CELL),
    add: (cells, value) => aggregate.add(cells, FIRST_CELL, value as never),
    result: (cells) => aggregate.result(cells, FIRST_CELL),
  }
}

function place(named: Readonly<Record<string, Aggregate<never, unknown>>>) {
  let at = FIRST_CELL
  return Object.entries(named).map(([name, aggregate]) => {
    const placed = { name, aggregate, at }
    at += aggregate.width
    return placed
  })
}
