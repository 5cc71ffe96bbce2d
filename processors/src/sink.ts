import type { Column } from './column.ts'
import type { Json } from './json.ts'

/**
 * Where rows go outside the log. A sink is a description until it is opened; making one has no
 * effect. `Row` is what it needs of each row, checked against the stream's type at compile time.
 */
export interface Sink<Row> {
  readonly kind: 'sink'
  /** Names it in topologies, fences and dead letters, such as `postgres flights`. */
  readonly name: string
  /**
   * `exactly-once`: the sink stores the position with the rows. `at-least-once`: the position is stored
   * in the log after `write` resolves, so a crash may repeat rows.
   */
  readonly guarantee: 'exactly-once' | 'at-least-once'
  /**
   * `append` takes every record; `upsert` keeps one row per key, so a batch may be reduced to the last
   * record of each key before it is written.
   */
  readonly mode: 'append' | 'upsert'
  /** The columns that tell an upsert's rows apart, where that is known before opening. */
  readonly key?: readonly string[]
  /** Only for the compiler: what each row must have. Never set. */
  readonly accepts?: (row: Row) => void
  /** @throws UsageError for what configuration must mend (no table, wrong password), UnavailableError for what may pass. */
  open(context: SinkContext): Promise<OpenSink>
}

/** What a sink is opened with: whom it is for, what it will be given, and whom it can tell. */
export interface SinkContext {
  /** The pipeline (or load) this is for; part of the fence's key. */
  readonly pipeline: string
  /** Identity of the log the positions point into; a sink that stores positions refuses another's. */
  readonly logId: string
  /** As the log describes itself: who stores the last of them can refuse a copy of the log. */
  readonly openings?: readonly string[]
  /** Columns known from the schema, for creating tables; empty when there is no schema. */
  readonly columns: readonly Column[]
  /** The columns are those of the first rows: good for creating a table, but later rows may have more. */
  readonly isSample?: boolean
  /**
   * Makes refused rows durable elsewhere; a sink awaits it **before** the commit that passes them.
   * Absent when the policy is to fail: then a refused row makes `write` reject.
   */
  readonly deadLetter?: (letters: readonly DeadLetter[]) => Promise<void>
  /** Says what a person should know: reconnecting, waiting for a lock. Never a secret. */
  readonly notice: (message: string) => void
  readonly signal: AbortSignal
}

/** A row that will never pass, and why. */
export interface DeadLetter {
  /** Index in the batch. */
  readonly index: number
  readonly code: string
  readonly cause: string
  /** The column at fault, where it is known. */
  readonly column?: string | undefined
  /** The constraint that the row breaks, where it is known. */
  readonly constraint?: string | undefined
}

/** A sink at work, for one run. */
export interface OpenSink {
  /**
   * Takes over a task (such as `flights-0`: one input partition), fencing whoever had it.
   * Only an assignment may call this; a task that lost its claim never claims again by itself.
   */
  claim(task: string): Promise<SinkTask>
  close(): Promise<void>
}

/** A task of a sink, claimed by this process. */
export interface SinkTask {
  /** The position stored with the last committed batch; undefined when there is none, or none is kept. */
  readonly position: Json | undefined
  /**
   * Resolves once the whole batch and its position are durable, together. Retries what may pass by
   * itself (connection lost, deadlock) with back-off, without doubling anything.
   *
   * @throws FencedError somebody claimed the task since: drop it. Nothing of this batch was written.
   * @throws RejectedError a row was refused and there is no dead-letter route; nothing was written.
   */
  write(batch: SinkBatch): Promise<void>
  /**
   * Only of sinks that gather batches before they store them, such as files: `write` may then resolve
   * earlier, and `position` is that of the last batch that is durable, whatever was written since.
   * Stores all that was written; called when the input ends and when a run is interrupted.
   */
  flush?(): Promise<void>
  release(): Promise<void>
}

/**
 * Rows in columns-of-arrays form: entry i of each array is one record. A column is looked up by name
 * in the key first, then in the value.
 */
export interface SinkBatch {
  readonly size: number
  /** Named key properties of each record; null where the record has no (named) key. */
  readonly keys: readonly (Readonly<Record<string, unknown>> | null)[]
  /** Decoded values; null is a tombstone: delete the row of this key. */
  readonly values: readonly (Readonly<Record<string, unknown>> | null)[]
  /** What to store with the rows: where the task goes on. */
  readonly position: Json
}
