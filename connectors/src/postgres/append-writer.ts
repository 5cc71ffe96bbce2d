import type { SinkBatch } from '@millrace/processors'
import type { Attempt, BatchWriter } from './batch-writer.ts'
import { copyRows } from './copy-rows.ts'
import type { CopyTarget } from './copy-rows.ts'
import { quoteList } from './identifier.ts'
import { RowRefusedError, doWithoutRefused } from './refused-rows.ts'
import {
  numberColumn,
  stageRows,
  takeOverPiecewise,
  takeOverWithoutRefused,
} from './refused-rows-search.ts'
import type { Refusals } from './refused-rows.ts'
import { rowEncoder } from './row-encoder.ts'
import type { WrittenColumn } from './row-encoder.ts'

const stageName = 'millrace_rows'

/** Adds every row to the table, by COPY straight into it. */
export class AppendWriter implements BatchWriter {
  readonly #target: CopyTarget
  /** For batches with bad rows: a temporary table, and how its rows are taken over. */
  readonly #stage: { readonly createSql: string; readonly target: CopyTarget }
  readonly #applySql: (range: string) => string

  constructor(tableSql: string, columns: readonly WrittenColumn[]) {
    const encoder = rowEncoder(columns)
    const names = quoteList(columns.map((column) => column.name))
    this.#target = {
      sql: `COPY ${tableSql} (${names}) FROM STDIN WITH (${encoder.copyOptions})`,
      encoder,
    }
    this.#stage = {
      createSql:
        // A transaction may hold several batches.
        `DROP TABLE IF EXISTS pg_temp.${stageName}; ` +
        `CREATE TEMPORARY TABLE ${stageName} ON COMMIT DROP AS ` +
        `SELECT ${names}, 0::integer AS ${numberColumn} FROM ${tableSql} WITH NO DATA`,
      target: {
        sql: `COPY pg_temp.${stageName} (${names}, ${numberColumn}) FROM STDIN WITH (${encoder.copyOptions})`,
        encoder: rowEncoder(columns, true),
      },
    }
    this.#applySql = (range) =>
      `INSERT INTO ${tableSql} (${names}) SELECT ${names} FROM pg_temp.${stageName} AS stage ` +
      `WHERE ${range} ORDER BY stage.${numberColumn}`
  }

  async prepare(): Promise<void> {}

  forget(): void {}

  async clear(): Promise<void> {}

  async write({ session, batch, refusals }: Attempt): Promise<boolean> {
    refuseTombstones(batch, refusals)
    try {
      await copyRows(session, this.#target, batch, 0, batch.size, refusals)
      return true
    } catch (error) {
      if (!(error instanceof RowRefusedError)) throw error
      refusals.set(error.index, error.refusal)
      return false
    }
  }

  async writeApart({ session, batch, refusals, isFirstEnough }: Attempt): Promise<boolean> {
    refuseTombstones(batch, refusals)
    if (isFirstEnough && refusals.size > 0) return true
    await session.query('SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL enable_seqscan = off')
    const isStaged = await stageRows(session, this.#stage.createSql)
    const { target } = isStaged ? this.#stage : { target: this.#target }
    const { size } = batch
    await doWithoutRefused(session, {
      size,
      refusals,
      isFirstEnough,
      attempt: (from, until) => copyRows(session, target, batch, from, until, refusals),
    })
    if (!isStaged || (isFirstEnough && refusals.size > 0)) return true
    const rows = { table: stageName, size, applySql: this.#applySql }
    if (!(await takeOverWithoutRefused(session, rows, refusals, isFirstEnough))) {
      await takeOverPiecewise(session, rows, refusals, isFirstEnough)
    }
    return true
  }
}

function refuseTombstones(batch: SinkBatch, refusals: Refusals): void {
  const { values } = batch
  for (let index = 0; index < batch.size; index += 1) {
    if (values[index] === null) refusals.set(index, tombstone)
  }
}

const tombstone = {
  code: 'TOMBSTONE',
  cause:
    'a record without a value deletes a row, and a table in append mode has no keys to find it by',
  column: undefined,
} as const
