import { UsageError } from '@millrace/core'
import type { Column, Json, Sink, Source, SourceReader } from '@millrace/processors'
import { readLoadPosition } from './load-position.ts'
import type { LoadProgress } from './load-progress.ts'
import { ProgressMeter } from './load-progress.ts'
import type { Transfer } from './row-load.ts'
import { writeRows } from './row-load.ts'

export type { LoadProgress }

const drainMs = 10_000

/** What {@link load} is to do. */
export interface LoadOptions<Row> {
  /** Bounded; a file of this package, or any other source. */
  readonly source: Source<Row>
  /** Exactly once, so that it stores the position with the rows. */
  readonly sink: Sink<Row>
  /**
   * What this load is remembered by in the sink. Default: the file's path. Another name loads the
   * same file once more.
   */
  readonly name?: string
  /**
   * Bytes of input stored in one transaction, which is what a killed load does again. Default 32 MiB;
   * rows that are not passed as text go 32,768 at a time at most.
   */
  readonly transactionBytes?: number
  /** Stops after the rows under way are committed; the next run goes on there. */
  readonly signal?: AbortSignal
  /** Called at most ten times a second, and once at the end. */
  readonly onProgress?: (progress: LoadProgress) => void
  /** Says what a person should know: reconnecting, waiting for a lock. */
  readonly onNotice?: (message: string) => void
}

/** How a load ended. */
export interface LoadResult {
  /** `loaded`: all is in the table. `unchanged`: it was already. `stopped`: by the signal. */
  readonly outcome: 'loaded' | 'unchanged' | 'stopped'
  /** Rows in the table from this source, those of earlier runs included. */
  readonly rows: number
  /** Rows that an earlier run had stored. */
  readonly rowsBefore: number
  /** The columns, as the source declares or infers them. */
  readonly columns: readonly Column[]
  readonly elapsedMs: number
}

/**
 * Loads a bounded source into a table, past the log. Each transaction stores rows and position
 * together, so a load that was killed goes on where it stopped, and a second run does nothing.
 *
 * CSV into a table in append mode is passed to the server as it stands in the file, in whole
 * records, where that means the same; times without a zone count as UTC.
 *
 * @throws UsageError INPUT_CHANGED the file is no longer the one that an earlier run began with.
 * @throws RejectedError a record is malformed or the table refuses it: file, line and byte are
 *   named; everything before its transaction is stored, and a later run goes on there.
 */
export async function load<Row>(options: LoadOptions<Row>): Promise<LoadResult> {
  const { source, sink, name = nameOf(source) } = options
  const signal = options.signal ?? new AbortController().signal
  checkPair(source, sink)
  const meter = new ProgressMeter(options.onProgress)
  const { columns = [], isSample = false } = await probe(source, signal)
  const open = await sink.open({
    pipeline: 'load',
    logId: name,
    columns,
    isSample,
    signal: afterDraining(signal),
    notice: options.onNotice ?? (() => {}),
  })
  try {
    const task = await open.claim(name)
    const position = readLoadPosition(name, task.position)
    const reader = await openAt(source, position?.source, signal)
    try {
      const rowsBefore = position?.rows ?? 0
      meter.start(reader.total, rowsBefore)
      const transactionBytes = options.transactionBytes ?? 32 * 1024 * 1024
      await transfer({ input: source.name, reader, task, meter, signal, transactionBytes })
      const { rows } = meter
      const outcome = outcomeOf(signal, rows > rowsBefore || position === undefined)
      return { outcome, rows, rowsBefore, columns, elapsedMs: meter.finish(!signal.aborted) }
    } finally {
      await task.release()
      await reader.close()
    }
  } finally {
    await open.close()
  }
}

async function transfer(all: Transfer): Promise<void> {
  // Databases' drivers and parsers are loaded by then; nothing else should wait for them.
  const { passCsv, canPassCsv } = await import('./csv-load.ts')
  if (canPassCsv(all)) await passCsv(all)
  else await writeRows(all)
}

function outcomeOf(signal: AbortSignal, hasLoaded: boolean): LoadResult['outcome'] {
  if (signal.aborted) return 'stopped'
  return hasLoaded ? 'loaded' : 'unchanged'
}

function checkPair(source: Source<unknown>, sink: Pick<Sink<never>, 'name' | 'guarantee'>): void {
  if (!source.bounded) {
    const next = 'Run it as a pipeline, which may follow it.'
    throw new UsageError('USAGE', `load: ${source.name} has no end. ${next}`)
  }
  if (sink.guarantee !== 'exactly-once') {
    const next = 'Run it as a pipeline, which keeps positions in the log.'
    throw new UsageError('USAGE', `load: ${sink.name} stores no position. ${next}`)
  }
}

/** A transaction under way is given time to commit, before the sink is told to stop too. */
function afterDraining(signal: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const stop = (): void => void setTimeout(() => controller.abort(signal.reason), drainMs).unref()
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  return controller.signal
}

/** A look at the columns. */
async function probe(
  source: Source<unknown>,
  signal: AbortSignal,
): Promise<Pick<SourceReader<unknown>, 'columns' | 'isSample'>> {
  const reader = await source.open({ position: undefined, signal })
  await reader.close()
  return reader
}

async function openAt<Row>(
  source: Source<Row>,
  position: Json | undefined,
  signal: AbortSignal,
): Promise<SourceReader<Row>> {
  try {
    return await source.open({ position, signal })
  } catch (error) {
    if (!(error instanceof UsageError) || error.code !== 'INPUT_CHANGED') throw error
    const next = 'To load the new content beside the old, give this load another name.'
    throw new UsageError(error.code, `${error.message} ${next}`, {
      cause: error,
      facts: error.facts,
    })
  }
}

function nameOf(source: Source<unknown>): string {
  return 'path' in source && typeof source.path === 'string' ? source.path : source.name
}
