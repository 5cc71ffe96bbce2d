import { postgres, type TableLoadOptions } from '@millrace/connectors'
import { UsageError } from '@millrace/core'
import type { LoadCommandOptions } from './load-options.ts'
import { databaseOf, mappingOf } from './open-load.ts'

const ofDatabases = /^postgres(ql)?:\/\//

/** Is the input a database? */
export function isDatabase(words: readonly string[]): boolean {
  return words.some((word) => ofDatabases.test(word))
}

/**
 * Turns the words of `millrace load postgres://…` into a copy from one database to another.
 *
 * @throws UsageError options that are for files.
 */
export function openTableLoad(
  words: readonly string[],
  options: LoadCommandOptions,
): TableLoadOptions {
  const { table, fromTable, query, create = false, name } = options
  const [url = ''] = words
  if (words.length > 1) throw usage('A database is loaded alone, not together with files.')
  const given = fileOptions.find((option) => options[option] !== undefined)
  if (given !== undefined) throw usage(`--${given} is for files, not for a database.`)
  const to = databaseOf(options)
  return {
    from: {
      url,
      ...(fromTable !== undefined && { table: fromTable }),
      ...(query !== undefined && { query }),
      mapping: mappingOf(options),
    },
    sink: postgres(to).table(table),
    ...(create && { create: { url: to, table } }),
    ...(name !== undefined && { name }),
  }
}

const fileOptions = [
  'format',
  'key',
  'mode',
  'rejects',
  'connections',
  'delimiter',
  'quote',
  'null',
  'type',
] as const

function usage(message: string): UsageError {
  return new UsageError('USAGE', message)
}
