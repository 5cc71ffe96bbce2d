import { UsageError } from '@millrace/core'
import {
  checkArgument,
  checkOptions,
  type Checks,
  count,
  either,
  flag,
  listOf,
  oneOf,
  patienceMs,
  recordOf,
  required,
  text,
} from '@millrace/core/options'
import type { Sink } from '@millrace/processors'
import { parseTableName, quoteIdentifier } from './identifier.ts'
import type { MergeRule } from './merge.ts'

export type { MergeRule }

/** How rows go into a table. `Name` and `Merged` are the properties that each row must have. */
export interface PostgresTableOptions<Name extends string, Merged extends string = Name> {
  /** Default: the environment's `DATABASE_URL`. Its password is never shown. */
  readonly url?: string
  /** `append` (the default without a key): every record is a row. `upsert`: one row per key. */
  readonly mode?: 'append' | 'upsert'
  /** Columns that identify a row; they need a unique index. A record without a value deletes its row. */
  readonly key?: Name | readonly Name[]
  /** The columns to write. Default: those of the schema, else the properties of the rows. */
  readonly columns?: readonly Name[]
  /** How columns of a known key change, instead of being replaced: `{ hits: 'add', seen: 'greatest' }`. */
  readonly merge?: { readonly [Column in Merged]?: MergeRule }
  /** Makes the table when it is missing: from the schema, else from the first rows. */
  readonly create?: boolean
  /** Connections that the tasks of this sink share; default 2. */
  readonly connections?: number
  /**
   * How long a write waits and tries again while the server is away, full, read-only or refuses
   * connections; after that the run ends, and the next one goes on from the last commit. Default
   * 600,000 (ten minutes); `Infinity` never gives up. Milliseconds.
   */
  readonly retryForMs?: number
}

/** Makes sinks for the tables of one database. */
export interface Postgres {
  /** As {@link postgres.table}, in this database. */
  table<const Name extends string = never, const Merged extends string = never>(
    name: string,
    options?: PostgresTableOptions<Name, Merged>,
  ): Sink<Readonly<Record<Name | Merged, unknown>>>
}

const CHECKS: Checks<PostgresTableOptions<string>> = {
  url: text,
  mode: oneOf('append', 'upsert'),
  key: either(text, listOf(text)),
  columns: listOf(text, 1),
  merge: recordOf(oneOf('replace', 'keep', 'add', 'greatest', 'least')),
  create: flag,
  connections: count(),
  retryForMs: patienceMs(),
}

const connectionsDefault = 2
const retryForMsDefault = 600_000

/**
 * A PostgreSQL database, by its URL (`postgres://user:password@host:5432/database`) or the
 * environment's `DATABASE_URL`. Nothing is connected until a pipeline runs.
 */
export function postgres(url?: string): Postgres {
  checkArgument('postgres', 'its URL', url, text)
  return {
    table: (name, options = {}) => table(name, url === undefined ? options : { url, ...options }),
  }
}

/**
 * A table as a sink, exactly once: rows and position are committed together, and a process that lost
 * its task can't write. Values are checked against the columns' types before they are sent.
 *
 * @param name `table` or `schema.table`.
 * @throws UsageError for options that make no sense, or contradict each other.
 */
postgres.table = table

function table<const Name extends string = never, const Merged extends string = never>(
  name: string,
  options: PostgresTableOptions<Name, Merged> = {},
): Sink<Readonly<Record<Name | Merged, unknown>>> {
  checkArgument('postgres.table', 'its name', name, required(text))
  checkOptions(`postgres.table("${name}")`, options, CHECKS)
  const key = typeof options.key === 'string' ? [options.key] : [...(options.key ?? [])]
  const mode = options.mode ?? (key.length > 0 ? 'upsert' : 'append')
  const connections = options.connections ?? connectionsDefault
  checkTogether(name, mode, key, options)
  const sink = {
    name: `postgres ${name}`,
    table: parseTableName(name),
    mode,
    key,
    columns: options.columns,
    merge: options.merge ?? {},
    create: options.create ?? false,
    url: options.url,
    connections,
    retryForMs: options.retryForMs ?? retryForMsDefault,
  }
  return {
    kind: 'sink',
    name: sink.name,
    guarantee: 'exactly-once',
    mode,
    ...(key.length > 0 ? { key } : {}),
    async open(context) {
      // Loading the driver takes as long as starting Node; most commands never need it.
      const { openPostgresSink } = await import('./open-sink.ts')
      return openPostgresSink(sink, context)
    },
  }
}

function checkTogether(
  name: string,
  mode: 'append' | 'upsert',
  key: readonly string[],
  options: PostgresTableOptions<string>,
): void {
  for (const column of [...key, ...(options.columns ?? [])]) quoteIdentifier(column)
  const { merge = {} } = options
  if (mode === 'upsert' && key.length === 0) {
    throw wrong(name, 'mode "upsert" needs a key: { key: "id" }')
  }
  if (mode === 'append' && Object.keys(merge).length > 0) {
    throw wrong(name, '"merge" needs mode "upsert" and a key')
  }
  const merged = key.find((column) => Object.hasOwn(merge, column))
  if (merged !== undefined) throw wrong(name, `the key column "${merged}" can't be merged`)
}

function wrong(name: string, problem: string): UsageError {
  return new UsageError('USAGE', `postgres.table("${name}"): ${problem}.`)
}
