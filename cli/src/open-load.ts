import {
  csv,
  load,
  type LoadOptions,
  type LoadResult,
  ndjson,
  parquet,
  postgres,
} from '@millrace/connectors'
import { UsageError } from '@millrace/core'
import type { LoadCommandOptions } from './commands/load.ts'
import { expectFile } from './expect-file.ts'

type Row = Record<string, unknown>

const sources = { parquet, csv, ndjson } as const

/**
 * Turns the words of `millrace load` into a load that is ready to start.
 *
 * @throws UsageError when the file, the database or the format isn't one.
 */
export function openLoad(
  file: string,
  options: LoadCommandOptions,
): (how: Omit<LoadOptions<Row>, 'source' | 'sink' | 'name'>) => Promise<LoadResult> {
  const { table, to, key, mode, create = false, name } = options
  if (to === undefined || to === '') {
    throw usage('Say where to load to: --to postgres://…, or DATABASE_URL.')
  }
  // What was given is not shown: it may hold a password where nobody looks for one.
  if (!/^postgres(ql)?:\/\//.test(to)) {
    throw usage(
      '--to (or DATABASE_URL) takes postgres://user@host:5432/database, and was given something else.',
    )
  }
  expectFile(file)
  const source = sources[options.format ?? formatOf(file)]<Row>(file)
  const sink = postgres(to).table<string>(table, {
    create,
    ...(key !== undefined && { key }),
    ...(mode !== undefined && { mode }),
  })
  return (how) => load<Row>({ source, sink, ...how, ...(name !== undefined && { name }) })
}

function formatOf(file: string): keyof typeof sources {
  const ending = /\.([a-z]+)(\.gz|\.zst)?$/i.exec(file)?.[1]?.toLowerCase() ?? ''
  if (ending === 'parquet') return 'parquet'
  if (['csv', 'tsv', 'txt'].includes(ending)) return 'csv'
  if (['ndjson', 'jsonl', 'json'].includes(ending)) return 'ndjson'
  throw usage(`What is in ${file}? Say --format parquet, csv or ndjson.`)
}

function usage(message: string): UsageError {
  return new UsageError('USAGE', message)
}
