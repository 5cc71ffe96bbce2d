import { UsageError } from '@millrace/core'
import type { Column, SinkBatch } from '@millrace/processors'
import { csvFormat } from '../files/csv/csv-format.ts'
import { Layout } from '../files/out/layout.ts'
import type { RowEncoder } from '../files/out/row-encoder.ts'

/** Rows as CSV, one table for all who write to it: a header, and nothing that it doesn't name. */
export class CsvLines {
  readonly #layout: Layout
  #encoder: RowEncoder | undefined

  constructor(columns: readonly Column[], isSample = false) {
    this.#layout = new Layout(columns, 'names', isSample)
  }

  /** @throws UsageError a row has a column that the header, already printed, does not name. */
  async take(batch: SinkBatch): Promise<string> {
    const isWider = this.#layout.widen(batch)
    if (isWider && this.#encoder !== undefined) throw columnsChanged(this.#layout)
    this.#encoder ??= csvFormat().begin(this.#layout.columns, new Set())
    for (let i = 0; i < batch.size; i++) {
      this.#encoder.add(batch.keys[i] ?? null, batch.values[i] ?? null)
    }
    return Buffer.from(await this.#encoder.take(false)).toString()
  }
}

function columnsChanged({ columns }: Layout): UsageError {
  const last = columns.at(-1)?.name ?? ''
  return new UsageError(
    'USAGE',
    `console: a row has the column ${last}, which the header above does not name. Give the topic a schema, ` +
      "map all rows to the same columns, or print JSON: console({ format: 'json' }).",
  )
}
