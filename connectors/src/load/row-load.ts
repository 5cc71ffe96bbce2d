import { RejectedError } from '@millrace/core'
import type { SinkBatch, SinkTask, SourceBatch, SourceReader } from '@millrace/processors'
import type { LoadPosition } from './load-position.ts'
import type { ProgressMeter } from './load-progress.ts'

// Measured: 16,384 lose a sixth of the speed to commits, 50,000 take 50 MB more for rows in memory.
const transactionRowsMax = 32_768

/** What moves rows, and where it reports. */
export interface Transfer<Reader = SourceReader<unknown>, Task = SinkTask> {
  /** The source's name. */
  readonly input: string
  readonly reader: Reader
  readonly task: Task
  readonly meter: ProgressMeter
  readonly signal: AbortSignal
  readonly transactionBytes: number
}

type Row = Readonly<Record<string, unknown>>

/** Writes a source's rows, some batches a transaction; the next is read while one is written. */
export async function writeRows({
  input,
  reader,
  task,
  meter,
  transactionBytes,
}: Transfer): Promise<void> {
  let rows: Row[] = []
  let last: SourceBatch<unknown> | undefined
  let written: Promise<void> = Promise.resolve()
  let bytesWritten = 0
  const flush = async (): Promise<void> => {
    if (last === undefined || rows.length === 0) return
    const batch = sinkBatch(rows, last)
    rows = []
    bytesWritten = last.bytesRead
    await written
    written = write(task, batch, last.rowsRead, input)
    // It is awaited before the next; until then nobody else looks at it.
    written.catch(() => {})
  }
  for await (const batch of reader.batches()) {
    for (const row of batch.rows) rows.push(row as Row)
    last = batch
    meter.moved(batch.rowsRead, batch.bytesRead)
    const bytes = batch.bytesRead - bytesWritten
    if (rows.length >= transactionRowsMax || bytes >= transactionBytes) await flush()
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

async function write(
  task: SinkTask,
  batch: SinkBatch,
  rowsRead: number,
  input: string,
): Promise<void> {
  try {
    await task.write(batch)
  } catch (error) {
    throw inWordsOfInput(error, rowsRead - batch.size, input)
  }
}

/** The sink counts rows in its batch; whoever reads the error counts those of the input. */
function inWordsOfInput(error: unknown, rowsBefore: number, input: string): unknown {
  if (!(error instanceof RejectedError) || typeof error.facts['index'] !== 'number') return error
  const { index, cause, table } = error.facts
  const row = rowsBefore + index + 1
  const reason = typeof cause === 'string' ? cause : error.message
  return new RejectedError(
    error.code,
    `Row ${row} of ${input} can't be stored in the table "${String(table)}": ${reason}. ${nextStep(rowsBefore)}`,
    { cause: error, facts: { ...error.facts, row } },
  )
}

/** What to do about a row that the table refuses; a corrected file is another file. */
export function nextStep(rowsBefore: number): string {
  if (rowsBefore === 0) return 'Nothing was stored. Correct the row, or the table, and load again.'
  return (
    `The ${rowsBefore} rows before its transaction are stored. Change the table so that it takes ` +
    'the row, and load again to go on there; or correct the file, empty the table, and load it ' +
    'under another name.'
  )
}
