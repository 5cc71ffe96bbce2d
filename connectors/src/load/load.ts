import { UsageError } from '@millrace/core'
import {
  abortSignal,
  bytes,
  callback,
  checkOptions,
  type Checks,
  count,
  either,
  flag,
  group,
  listOf,
  required,
  text,
} from '@millrace/core/options'
import type { Column, OpenSink, Sink, Source } from '@millrace/processors'
import { anySink, anySource } from '../parts.ts'
import { type ColumnMapping, mappingChecks } from './column-mapping.ts'
import { ChunkBuffers } from './chunk-buffers.ts'
import { afterDraining } from './draining.ts'
import { FilesLoad } from './files-load.ts'
import { probe } from './probe.ts'
import { rejectChecks, type RejectOptions } from './reject-options.ts'
import type { LoadProgress } from './load-progress.ts'
import { ProgressMeter } from './load-progress.ts'
import { loadRows } from './row-load.ts'
import { loadWhole } from './whole-load.ts'

export type { LoadProgress }

const CHECKS: Checks<LoadOptions<never>> = {
  source: required(either(anySource, listOf(anySource, 1))),
  sink: required(anySink),
  name: text,
  connections: count(),
  transactionBytes: bytes(),
  mapping: group(mappingChecks),
  rejects: group(rejectChecks),
  whole: flag,
  signal: abortSignal,
  onProgress: callback,
  onNotice: callback,
}

const chunkBytesDefault = 4 * 1024 * 1024
const connectionsDefault = 2

/** What {@link load} is to do. */
export interface LoadOptions<Row> {
  /**
   * Bounded: a file of this package, or any other source; or several files of one kind, whose columns
   * have the same names.
   */
  readonly source: Source<Row> | readonly Source<Row>[]
  /** Exactly once, so that it stores the position with the rows. */
  readonly sink: Sink<Row>
  /**
   * What this load is remembered by in the sink. Default: each file's path. Another name loads the same
   * file once more.
   */
  readonly name?: string
  /**
   * Transactions under way at once, of files into a table in append mode. Default 2; the sink must have
   * as many connections. Upserts go one after the other, so that the last record of a key stays.
   */
  readonly connections?: number
  /** Bytes of text (after decompression) stored in one transaction. Default 4 MiB. */
  readonly transactionBytes?: number
  /** Which columns of the files go to which of the table. */
  readonly mapping?: ColumnMapping
  /** Keeps records that the table refuses in a file, and goes on; else the first of them ends the load. */
  readonly rejects?: RejectOptions
  /**
   * Everything in one transaction, for input that can't be read again: after a kill nothing is stored,
   * and nothing is remembered unless the load has a name. One file.
   */
  readonly whole?: boolean
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
  /** Records that the table refused, those of earlier runs included. */
  readonly rejected: number
  /** Files that were in the table already, as a whole. */
  readonly filesUnchanged: number
  /** The columns, as the source declares or infers them. */
  readonly columns: readonly Column[]
  readonly elapsedMs: number
}

/**
 * Loads bounded sources into a table, past the log. Each transaction stores rows and position
 * together, so a load that was killed goes on where it stopped, and a second run does nothing.
 *
 * CSV goes to the server without being made rows of; times without a zone count as UTC.
 *
 * @throws UsageError INPUT_CHANGED the file is no longer the one that an earlier run began with.
 * @throws RejectedError a record is malformed or the table refuses it: file, line and byte are
 *   named; what other transactions held is stored, and a later run goes on with the rest.
 */
export async function load<Row>(options: LoadOptions<Row>): Promise<LoadResult> {
  checkOptions('load', options, CHECKS)
  const { sink } = options
  const sources: readonly Source<Row>[] =
    'kind' in options.source ? [options.source] : options.source
  const signal = options.signal ?? new AbortController().signal
  for (const source of sources) checkPair(source, sink)
  const connections = sink.mode === 'append' ? (options.connections ?? connectionsDefault) : 1
  const cutting = {
    mapping: options.mapping ?? {},
    chunkBytes: options.transactionBytes ?? chunkBytesDefault,
    buffers: new ChunkBuffers(),
  }
  const meter = new ProgressMeter(options.onProgress)
  const found = await probe(sources, cutting, signal)
  for (const path of found.empty) options.onNotice?.(`${path} is empty: it has no byte`)
  const open = await openSink(options, found, signal)
  try {
    const how = { sources, open, connections, cutting, meter, signal, found }
    const [source] = sources
    if (options.whole === true && source !== undefined && found.isCut && sources.length === 1) {
      return await loadWhole({ ...options, ...how, source })
    }
    if (found.isCut) return await new FilesLoad({ ...options, ...how }).run()
    if (source === undefined || sources.length > 1) throw severalOfNoFiles()
    return await loadRows({ ...how, source, name: options.name ?? source.name })
  } finally {
    await open.close()
  }
}

function openSink<Row>(
  options: LoadOptions<Row>,
  found: { readonly columns: readonly Column[]; readonly isSample: boolean },
  signal: AbortSignal,
): Promise<OpenSink> {
  return options.sink.open({
    pipeline: 'load',
    logId: 'load',
    columns: found.columns,
    isSample: found.isSample,
    signal: afterDraining(signal),
    notice: options.onNotice ?? (() => {}),
  })
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

function severalOfNoFiles(): UsageError {
  return new UsageError('USAGE', 'load: several sources at once must be files.')
}
