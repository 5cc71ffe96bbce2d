import {
  load,
  loadTable,
  type LoadOptions,
  type LoadResult,
  planLoad as plan,
} from '@millrace/connectors'
import { UsageError } from '@millrace/core'
import { exitCode } from '../exit-code.ts'
import { describePlan } from './describe-plan.ts'
import type { LoadCommandOptions } from './load-options.ts'
import { spoolStdin } from './spool.ts'
import { databaseOf, openLoad } from './open-load.ts'
import { isDatabase, openTableLoad } from './open-table-load.ts'

const STDIN = '-'

/** How a load is watched and stopped. */
export type Watching = Pick<LoadOptions<never>, 'signal' | 'onProgress' | 'onNotice'>

/**
 * Turns the words of `millrace load` into something that is ready to start.
 *
 * @throws UsageError when the inputs, the database or the format aren't some.
 */
export function startLoad(
  words: readonly string[],
  options: LoadCommandOptions,
): (how: Watching) => Promise<LoadResult> {
  if (isDatabase(words)) {
    const copy = openTableLoad(words, options)
    return (how) => loadTable({ ...copy, ...how })
  }
  if (words.includes(STDIN)) return (how) => loadStdin(words, options, how)
  const opened = openLoad(words, options)
  return (how) => load({ ...opened, ...how })
}

async function loadStdin(
  words: readonly string[],
  options: LoadCommandOptions,
  how: Watching,
): Promise<LoadResult> {
  if (words.length > 1) throw usage('Standard input (-) is loaded alone, not together with files.')
  if (options.format === undefined)
    throw usage('What is on standard input? Say --format csv or ndjson.')
  databaseOf(options)
  const spool = await spoolStdin(how.signal ?? new AbortController().signal)
  if (spool === undefined) return nothingLoaded
  try {
    return await load({ ...openLoad(words, options, spool.file), ...how })
  } finally {
    spool.remove()
  }
}

const nothingLoaded: LoadResult = {
  outcome: 'stopped',
  rows: 0,
  rowsBefore: 0,
  rejected: 0,
  filesUnchanged: 0,
  columns: [],
  elapsedMs: 0,
}

function usage(message: string): UsageError {
  return new UsageError('USAGE', message)
}

/** Says what a load would do, on standard output. */
export async function planLoad(
  words: readonly string[],
  options: LoadCommandOptions,
): Promise<void> {
  if (isDatabase(words)) {
    throw usage('--dry-run looks at files; a database is only read as a whole.')
  }
  const { source, mapping } = openLoad(words, options)
  const { table, key, create = false } = options
  const found = await plan({
    source,
    url: databaseOf(options),
    table,
    create,
    ...(mapping !== undefined && { mapping }),
    ...(key !== undefined && { key }),
  })
  process.stdout.write(`${describePlan(found, table)}\n`)
  if (found.problems.length > 0) process.exitCode = exitCode.usage
}
