import { UsageError } from '@millrace/core'

const identifierBytesMax = 63

/** A table's name in two parts; without a schema the server's search path decides. */
export interface TableName {
  readonly schema: string | undefined
  readonly table: string
}

/**
 * Quotes one name for SQL; nothing else in this connector does.
 *
 * @throws UsageError for an empty name, NUL, or more than 63 bytes, which PostgreSQL would cut off.
 */
export function quoteIdentifier(name: string): string {
  if (name === '') throw new UsageError('USAGE', 'A name for PostgreSQL is empty.')
  if (name.includes('\0') || !name.isWellFormed()) {
    throw new UsageError(
      'USAGE',
      `The name ${JSON.stringify(name)} contains NUL or half a character.`,
    )
  }
  if (Buffer.byteLength(name) > identifierBytesMax) {
    throw new UsageError(
      'USAGE',
      `The name "${name}" is longer than ${identifierBytesMax} bytes, where PostgreSQL would cut it ` +
        'off. Choose a shorter one.',
    )
  }
  return `"${name.replaceAll('"', '""')}"`
}

/** Quotes several names, separated by commas. */
export function quoteList(names: readonly string[]): string {
  return names.map(quoteIdentifier).join(', ')
}

/** Reads `table` or `schema.table`; a dot inside a name needs the two-part form of the options. */
export function parseTableName(name: string): TableName {
  const dot = name.indexOf('.')
  const parsed =
    dot === -1
      ? { schema: undefined, table: name }
      : { schema: name.slice(0, dot), table: name.slice(dot + 1) }
  quoteTable(parsed)
  return parsed
}

/** `"schema"."table"`, or `"table"`. */
export function quoteTable(name: TableName): string {
  const table = quoteIdentifier(name.table)
  return name.schema === undefined ? table : `${quoteIdentifier(name.schema)}.${table}`
}

/** Quotes text as an SQL literal that reads the same whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const quoted = text.replaceAll("'", "''")
  return quoted.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`
}
