import { didYouMean } from '@millrace/core/options'
import type { Column, Source } from '@millrace/processors'
import { createTableSql } from '../postgres/create-table.ts'
import { parseTableName } from '../postgres/identifier.ts'
import { databaseOf, firstSession } from '../postgres/session-login.ts'
import { readTable } from '../postgres/table.ts'
import type { Table } from '../postgres/table.ts'
import { ChunkBuffers } from './chunk-buffers.ts'
import type { ColumnMapping } from './column-mapping.ts'
import type { Cutting, Input } from './input.ts'
import { openInput } from './input.ts'
import { probe } from './probe.ts'
import type { Inferred } from './inferred.ts'
import { inferFromSample } from './sample.ts'

const sampleBytes = 256 * 1024

/** What `planLoad` looks at. */
export interface PlanOptions {
  readonly source: Source<unknown> | readonly Source<unknown>[]
  readonly mapping?: ColumnMapping
  readonly url: string
  /** `table` or `schema.table`. */
  readonly table: string
  readonly key?: readonly string[]
  readonly create?: boolean
}

/** A column of the input, what it seems to be, and where it would go. */
export interface PlannedColumn extends Inferred {
  /** In the table. */
  readonly column: Column
  /** The type of the table's column; undefined when the table is not there, or has no such column. */
  readonly tableType: string | undefined
}

/** What a load would do. */
export interface LoadPlan {
  readonly files: readonly string[]
  readonly bytes: number
  /** Undefined where it can't be told from a sample: of compressed files. */
  readonly rowsEstimate: number | undefined
  readonly columns: readonly PlannedColumn[]
  readonly isTableThere: boolean
  /** What would make the table, if it isn't there. */
  readonly createSql: string
  /** Why the load would be refused before its first row. */
  readonly problems: readonly string[]
}

/** As `planLoad` says. */
export async function plan(options: PlanOptions): Promise<LoadPlan> {
  const { mapping = {}, key = [] } = options
  const sources = 'kind' in options.source ? [options.source] : options.source
  const cutting: Cutting = { mapping, chunkBytes: sampleBytes, buffers: new ChunkBuffers() }
  const { signal } = new AbortController()
  const all: readonly Source<unknown>[] = sources
  const { bytes } = await probe(all, cutting, signal)
  const first = all[0] && (await openInput(all[0], cutting, signal))
  const sample = first ? await sampleOf(first) : { columns: [], bytesPerRow: undefined }
  const table = await tableOf(options)
  const columns = sample.columns.map((inferred) => ({
    ...inferred,
    tableType: table?.columns.find(({ name }) => name === inferred.column.name)?.type,
  }))
  const { bytesPerRow } = sample
  const headerBytes = (first?.header.length ?? 0) * all.length
  return {
    files: all.map(({ name }) => name),
    bytes,
    rowsEstimate:
      bytesPerRow === undefined
        ? undefined
        : Math.max(0, Math.round((bytes - headerBytes) / bytesPerRow)),
    columns,
    isTableThere: table !== undefined,
    createSql: createTableSql(
      parseTableName(options.table),
      columns.map(({ column }) => column),
      key,
    ),
    problems: problemsOf(options, table, columns),
  }
}

async function sampleOf(
  input: Input,
): Promise<{ columns: readonly Inferred[]; bytesPerRow: number | undefined }> {
  try {
    for await (const chunk of input.chunks(input.start, Infinity)) {
      const { values } = await chunk.rows()
      const length = chunk.range[1] - chunk.range[0]
      const bytes = input.storedBytes(length)
      const bytesPerRow = bytes === 0 || values.length === 0 ? undefined : bytes / values.length
      return { columns: inferFromSample(input, values), bytesPerRow }
    }
    return { columns: inferFromSample(input, []), bytesPerRow: undefined }
  } finally {
    await input.close()
  }
}

async function tableOf({ url, table }: PlanOptions): Promise<Table | undefined> {
  const { signal } = new AbortController()
  const session = await firstSession(databaseOf(url), () => {}, signal)
  try {
    await session.query('SET default_transaction_read_only = on')
    return await readTable(session, parseTableName(table))
  } finally {
    await session.close()
  }
}

function problemsOf(
  { table: name, key = [], create = false }: PlanOptions,
  table: Table | undefined,
  columns: readonly PlannedColumn[],
): string[] {
  if (table === undefined) {
    return create ? [] : [`There is no table "${name}"; --create would make it.`]
  }
  const names = table.columns.map((column) => column.name)
  const unknown = columns.filter(({ tableType }) => tableType === undefined)
  const given = columns.map(({ column }) => column.name)
  const missing = table.columns.filter(
    (column) => column.isNotNull && !column.hasDefault && !given.includes(column.name),
  )
  const isKeyed =
    key.length === 0 ||
    table.uniqueKeys.some((unique) => unique.toSorted().join() === key.toSorted().join())
  return [
    ...unknown.map(
      ({ column }) =>
        `The table has no column "${column.name}".${didYouMean(column.name, names)} ` +
        'Rename it (--rename) or leave it out (--skip).',
    ),
    ...missing.map(
      (column) => `The table's column "${column.name}" is NOT NULL, and the input has none.`,
    ),
    ...(isKeyed ? [] : [`The table has no unique index on (${key.join(', ')}).`]),
  ]
}
