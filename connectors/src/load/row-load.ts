import { RejectedError, UsageError } from '@millrace/core'
import type {
  Json,
  OpenSink,
  SinkBatch,
  SinkTask,
  Source,
  SourceBatch,
  SourceReader,
} from '@millrace/processors'
import type { LoadPosition } from './load-position.ts'
import { readLoadPosition } from './load-position.ts'
import type { LoadResult } from './load.ts'
import type { ProgressMeter } from './load-progress.ts'
import type { Probed } from './probe.ts'

// Measured: 16,384 lose a sixth of the speed to commits, 50,000 take 50 MB more for rows in memory.
const transactionRowsMax = 32_768

/** What {@link loadRows} works with. */
export interface RowLoadOptions {
  readonly source: Source<unknown>
  readonly name: string
  readonly open: OpenSink
  readonly meter: ProgressMeter
  readonly signal: AbortSignal
  readonly found: Probed
}

type Row = Readonly<Record<string, unknown>>

/** Loads a source that is no file: its rows in order, some batches a transaction. */
export async function loadRows(options: RowLoadOptions): Promise<LoadResult> {
  const { source, name, open, meter, signal, found } = options
  const task = await open.claim(name)
  const position = readLoadPosition(name, task.position)
  const reader = await openAt(source, position?.source, signal)
  try {
    const rowsBefore = position?.rows ?? 0
    meter.start(reader.total)
    meter.resumed(rowsBefore, 0, 0)
    await writeRows(source.name, reader, task, meter)
    const { rows } = meter
    const hasLoaded = rows > rowsBefore || position === undefined
    return {
      outcome: signal.aborted ? 'stopped' : hasLoaded ? 'loaded' : 'unchanged',
      rows,
      rowsBefore,
      rejected: 0,
      filesUnchanged: 0,
      columns: found.columns,
      elapsedMs: meter.finish(!signal.aborted),
    }
  } finally {
    await task.release()
    await reader.close()
  }
}

async function openAt(
  source: Source<unknown>,
  position: Json | undefined,
  signal: AbortSignal,
): Promise<SourceReader<unknown>> {
  try {
    return await source.open({ position, signal })
  } catch (error) {
    if (!(error instanceof UsageError) || error.code !== 'INPUT_CHANGED') throw error
    const next = 'To load the new content beside the old, give this load another name.'
    const { code, facts } = error
    throw new UsageError(code, `${error.message} ${next}`, { cause: error, facts })
  }
}

/** The next batch is read while one is written. */
async function writeRows(
  input: string,
  reader: SourceReader<unknown>,
  task: SinkTask,
  meter: ProgressMeter,
): Promise<void> {
  let rows: Row[] = []
  let last: SourceBatch<unknown> | undefined
  let written: Promise<void> = Promise.resolve()
  const flush = async (): Promise<void> => {
    if (last === undefined || rows.length === 0) return
    const batch = sinkBatch(rows, last)
    rows = []
    await written
    written = write(task, batch, last.rowsRead, input)
    // It is awaited before the next; until then nobody else looks at it.
    written.catch(() => {})
  }
  for await (const batch of reader.batches()) {
    for (const row of batch.rows) rows.push(row as Row)
    last = batch
    meter.moved(batch.rows.length, Math.max(0, batch.bytesRead - meter.bytes))
    if (rows.length >= transactionRowsMax) await flush()
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
    `Row ${row} of ${input} can't be stored in the table "${String(table)}": ${reason}. ` +
      `The ${rowsBefore} rows before its transaction are stored; load again to go on there.`,
    { cause: error, facts: { ...error.facts, row } },
  )
}
