import { RejectedError } from '@millrace/core'
import type { SinkBatch, SinkTask, SourceBatch, SourceReader } from '@millrace/processors'
import type { LoadPosition } from './load-position.ts'
import type { ProgressMeter } from './load-progress.ts'

// A commit each 50,000 rows costs nothing measurable against one at the end; each 5,000 a tenth.
const transactionRows = 50_000

/** What moves rows, and where it reports. */
export interface Transfer<Reader = SourceReader<unknown>, Task = SinkTask> {
  readonly reader: Reader
  readonly task: Task
  readonly meter: ProgressMeter
  readonly signal: AbortSignal
}

type Row = Readonly<Record<string, unknown>>

/** Writes a source's rows, some batches a transaction; the next is read while one is written. */
export async function writeRows({ reader, task, meter }: Transfer): Promise<void> {
  let rows: Row[] = []
  let last: SourceBatch<unknown> | undefined
  let written: Promise<void> = Promise.resolve()
  const flush = async (): Promise<void> => {
    if (last === undefined || rows.length === 0) return
    const batch = sinkBatch(rows, last)
    rows = []
    await written
    written = write(task, batch, last.rowsRead)
    // It is awaited before the next; until then nobody else looks at it.
    written.catch(() => {})
  }
  for await (const batch of reader.batches()) {
    for (const row of batch.rows) rows.push(row as Row)
    last = batch
    meter.moved(batch.rowsRead, batch.bytesRead)
    if (rows.length >= transactionRows) await flush()
  }
  await flush()
  await written
}

function sinkBatch(rows: readonly Row[], last: SourceBatch<unknown>): SinkBatch {
  const position: LoadPosition = { rows: last.rowsRead, source: last.position }
  return {
    size: rows.length,
    keys: rows.map(() => null),
    values: rows,
    position,
  }
}

async function write(task: SinkTask, batch: SinkBatch, rowsRead: number): Promise<void> {
  try {
    await task.write(batch)
  } catch (error) {
    throw inWordsOfInput(error, rowsRead - batch.size)
  }
}

/** The sink counts rows in its batch; whoever reads the error counts those of the input. */
function inWordsOfInput(error: unknown, rowsBefore: number): unknown {
  if (!(error instanceof RejectedError) || typeof error.facts['index'] !== 'number') return error
  const { index, cause } = error.facts
  const row = rowsBefore + index + 1
  const reason = typeof cause === 'string' ? cause : error.message
  return new RejectedError(
    error.code,
    `Row ${row} of the input can't be stored: ${reason}. Rows up to ${rowsBefore} are stored; ` +
      "correct that row's data or its column, and load again to go on there.",
    { cause: error, facts: { ...error.facts, row } },
  )
}
