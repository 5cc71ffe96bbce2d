import {
  type ColumnMapping,
  csv,
  type CsvOptions,
  type FileSource,
  type LoadOptions,
  ndjson,
  parquet,
  postgres,
} from '@millrace/connectors'
import { UsageError } from '@millrace/core'
import { typeNamed } from './column-types.ts'
import { filesOf } from './load-files.ts'
import type { LoadCommandOptions } from './load-options.ts'

type Row = Record<string, unknown>
type Format = 'parquet' | 'csv' | 'ndjson'

/**
 * Turns the words of `millrace load` into a load.
 *
 * @param spooled Where standard input lies, if it is what is loaded.
 * @throws UsageError when the files, the database or the format aren't some.
 */
export function openLoad(
  words: readonly string[],
  options: LoadCommandOptions,
  spooled?: string,
): LoadOptions<Row> {
  const { table, key, mode, create = false, name, connections, rejects, maxRejects } = options
  const to = databaseOf(options)
  const ofDatabase = options.fromTable === undefined ? 'query' : 'from-table'
  if ((options.fromTable ?? options.query) !== undefined) {
    throw usage(`--${ofDatabase} is for a database (postgres://…), not for files.`)
  }
  if (mode === 'upsert' && key === undefined) {
    throw usage('--mode upsert needs to know what identifies a row: --key COLUMNS.')
  }
  const files = spooled === undefined ? filesOf(words) : [spooled]
  const sink = postgres(to).table<string>(table, {
    create,
    ...(key !== undefined && { key }),
    ...(mode !== undefined && { mode }),
    ...(connections !== undefined && { connections }),
  })
  if (maxRejects !== undefined && rejects === undefined) {
    throw usage('--max-rejects needs a file for them: --rejects FILE.')
  }
  return {
    source: files.map((file) => sourceOf(file, options)),
    sink,
    mapping: mappingOf(options),
    ...(spooled !== undefined && { whole: true }),
    ...(name !== undefined && { name }),
    ...(connections !== undefined && { connections }),
    ...(rejects !== undefined && {
      rejects: { path: rejects, ...(maxRejects !== undefined && { max: maxRejects }) },
    }),
  }
}

/** @throws UsageError no database is named, or something else is. */
export function databaseOf({ to }: Pick<LoadCommandOptions, 'to'>): string {
  if (to === undefined || to === '') {
    throw usage('Say where to load to: --to postgres://…, or DATABASE_URL.')
  }
  // What was given is not shown: it may hold a password where nobody looks for one.
  if (/^postgres(ql)?:\/\//.test(to)) return to
  throw usage(
    '--to (or DATABASE_URL) takes postgres://user@host:5432/database, and was given something else.',
  )
}

/** Which columns go where. */
export function mappingOf({ columns, rename, skip, type }: LoadCommandOptions): ColumnMapping {
  return {
    ...(columns !== undefined && { names: columns }),
    ...(rename !== undefined && { rename: Object.fromEntries(rename) }),
    ...(skip !== undefined && { skip }),
    ...(type !== undefined && {
      types: Object.fromEntries(type.map(([column, name]) => [column, typeNamed(column, name)])),
    }),
  }
}

function sourceOf(file: string, options: LoadCommandOptions): FileSource<Row> {
  const format = options.format ?? formatOf(file)
  if (format === 'csv') return csv<Row>(file, csvOptions(options))
  const ofCsv = (['delimiter', 'quote', 'null'] as const).find(
    (name) => options[name] !== undefined,
  )
  if (ofCsv !== undefined || options.header === false) {
    throw usage(`--${ofCsv ?? 'no-header'} is for CSV, and ${file} is read as ${format}.`)
  }
  return format === 'parquet' ? parquet<Row>(file) : ndjson<Row>(file)
}

function csvOptions(options: LoadCommandOptions): CsvOptions {
  const { delimiter, quote, header } = options
  return {
    ...(delimiter !== undefined && { delimiter: delimiter === '\\t' ? '\t' : delimiter }),
    ...(quote !== undefined && { quote }),
    ...(options.null !== undefined && { null: options.null }),
    ...(header === false && { header }),
  }
}

function formatOf(file: string): Format {
  const ending = /\.([a-z]+)(\.gz|\.zst)?$/i.exec(file)?.[1]?.toLowerCase() ?? ''
  if (ending === 'parquet') return 'parquet'
  if (['csv', 'tsv', 'txt'].includes(ending)) return 'csv'
  if (['ndjson', 'jsonl', 'json'].includes(ending)) return 'ndjson'
  throw usage(`What is in ${file}? Say --format parquet, csv or ndjson.`)
}

function usage(message: string): UsageError {
  return new UsageError('USAGE', message)
}
