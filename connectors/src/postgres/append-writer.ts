import type { SinkBatch } from '@millrace/processors'
import type { Attempt, BatchWriter } from './batch-writer.ts'
import { copyRows } from './copy-rows.ts'
import type { CopyTarget } from './copy-rows.ts'
import { quoteList } from './identifier.ts'
import { RowRefusedError, doWithoutRefused } from './refused-rows.ts'
import type { Refusals } from './refused-rows.ts'
import { rowEncoder } from './row-encoder.ts'
import type { WrittenColumn } from './row-encoder.ts'

/** Adds every row to the table, by COPY straight into it. */
export class AppendWriter implements BatchWriter {
  readonly #target: CopyTarget

  constructor(tableSql: string, columns: readonly WrittenColumn[]) {
    const encoder = rowEncoder(columns)
    const names = quoteList(columns.map((column) => column.name))
    this.#target = {
      sql: `COPY ${tableSql} (${names}) FROM STDIN WITH (${encoder.copyOptions})`,
      encoder,
    }
  }

  async prepare(): Promise<void> {}

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
    await session.query('SET CONSTRAINTS ALL IMMEDIATE')
    await doWithoutRefused(session, {
      size: batch.size,
      refusals,
      isFirstEnough,
      attempt: (from, until) => copyRows(session, this.#target, batch, from, until, refusals),
    })
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
