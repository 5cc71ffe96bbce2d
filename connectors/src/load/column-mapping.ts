import { UsageError } from '@millrace/core'
import { anyText, type Checks, listOf, recordOf, text } from '@millrace/core/options'
import type { Column, ColumnType } from '@millrace/processors'

import { columnTypes } from '../parts.ts'

/** Which columns of an input go to which of the table. */
export interface ColumnMapping {
  /** Names of the input's columns in order, in place of its own. */
  readonly names?: readonly string[]
  /** Names in the table by names in the input; others keep theirs. */
  readonly rename?: Readonly<Record<string, string>>
  /** Names in the input of what is left out. */
  readonly skip?: readonly string[]
  /** Types by names in the table, in place of those inferred; for creating it. */
  readonly types?: Readonly<Record<string, ColumnType>>
}

/** For whoever takes one; the names in it are looked up when the columns are known. */
export const mappingChecks: Checks<ColumnMapping> = {
  names: listOf(text),
  rename: recordOf(text),
  skip: listOf(anyText),
  types: columnTypes,
}

/** A column of an input, and what becomes of it. */
export interface MappedColumn {
  /** In the input. */
  readonly source: string
  /** In the table; undefined: left out. */
  readonly column: Column | undefined
}

/**
 * Says what becomes of each column of an input.
 *
 * @throws UsageError for names that the input has not, and for two columns with one name.
 */
export function mapColumns(
  path: string,
  columns: readonly Column[],
  mapping: ColumnMapping,
): MappedColumn[] {
  const { names, rename = {}, skip = [], types = {} } = mapping
  if (names && names.length !== columns.length) {
    const had = columns.map(({ name }) => name).join(', ')
    throw usage(
      `${path} has ${columns.length} columns (${had}), and ${names.length} names are given for them.`,
    )
  }
  const sources = columns.map(({ name }, index) => names?.[index] ?? name)
  requireKnown(path, 'rename', Object.keys(rename), sources)
  requireKnown(path, 'skip', skip, sources)
  const mapped = columns.map((column, index): MappedColumn => {
    const source = sources[index] as string
    if (skip.includes(source)) return { source, column: undefined }
    const name = Object.hasOwn(rename, source) ? (rename[source] as string) : source
    const type = Object.hasOwn(types, name) ? (types[name] as ColumnType) : column.type
    return { source, column: { ...column, name, type } }
  })
  const written = writtenColumns(mapped).map(({ name }) => name)
  const twice = written.find((name, index) => written.indexOf(name) !== index)
  if (twice !== undefined) throw usage(`${path}: two columns would both go to "${twice}".`)
  requireKnown(path, 'type', Object.keys(types), written)
  return mapped
}

/** The columns that are written. */
export function writtenColumns(mapped: readonly MappedColumn[]): Column[] {
  return mapped.map(({ column }) => column).filter((column) => column !== undefined)
}

function requireKnown(
  path: string,
  what: string,
  wanted: readonly string[],
  names: readonly string[],
): void {
  const unknown = wanted.find((name) => !names.includes(name))
  if (unknown === undefined) return
  throw usage(`${what}: ${path} has no column "${unknown}"; it has ${names.join(', ')}.`)
}

function usage(message: string): UsageError {
  return new UsageError('USAGE', message)
}
