import { UsageError } from '@millrace/core'
import type { Column } from '@millrace/processors'
import type { ColumnMapping } from './column-mapping.ts'

type Row = Readonly<Record<string, unknown>>

/** Renames and leaves out properties of rows; undefined when they stay as they are. */
export function rowMapping({
  rename = {},
  skip = [],
}: ColumnMapping): ((row: Row) => Row) | undefined {
  const skipped = new Set(skip)
  const renamed = new Map(Object.entries(rename))
  if (skipped.size === 0 && renamed.size === 0) return undefined
  return (row) => {
    const mapped: Record<string, unknown> = {}
    for (const name of Object.keys(row)) {
      if (!skipped.has(name)) mapped[renamed.get(name) ?? name] = row[name]
    }
    return mapped
  }
}

/**
 * The columns of a sample of rows as they are in the table; a name may be that of a property that only
 * later rows have.
 */
export function mapSample(columns: readonly Column[], mapping: ColumnMapping): Column[] {
  const { names, rename = {}, skip = [], types = {} } = mapping
  if (names) {
    throw new UsageError(
      'USAGE',
      'JSON has names of its own; rename them (--rename), not --columns.',
    )
  }
  const kept = columns.filter(({ name }) => !skip.includes(name))
  const named = kept.map((column) => ({
    ...column,
    name: Object.hasOwn(rename, column.name) ? (rename[column.name] as string) : column.name,
  }))
  return named.map((column) =>
    Object.hasOwn(types, column.name)
      ? { ...column, type: types[column.name] ?? column.type }
      : column,
  )
}
