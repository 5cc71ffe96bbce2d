import type { Column } from '@millrace/core'
import type { OperatorFunction } from 'rxjs'
import type { Clock } from '@millrace/core/io'
import type { DurableStore, StoreSpec } from '../state/store.ts'
import type { Topic } from '../topic.ts'
import type { TimeWindows } from '../windows/windows.ts'
import type { StreamRecord } from './record.ts'

/** A step of a stream, for `pipe`: from records of key K and value V to records of key K2 and value V2. */
export interface Operator<K, V, K2, V2> {
  /** What it does to a stream. @throws UsageError when it can't follow what comes before it. */
  readonly apply: (before: StepPlace) => Step | WindowUse
  /** Only for the compiler. Never set. */
  readonly types?: (record: StreamRecord<K, V>) => StreamRecord<K2, V2>
}

/** Where in a stream an operator is put. */
export interface StepPlace {
  /** The window that `window(...)` opened just before. */
  readonly window: WindowUse | undefined
}

/** What `window(...)` says; the aggregate that follows it does the work. */
export interface WindowUse {
  readonly kind: 'window'
  readonly windows: TimeWindows
  readonly emit: 'update' | 'final'
  /** Takes records that came too late. */
  readonly late: Topic | undefined
}

/** What an operator does in a pipeline, as data with its callbacks. */
export interface Step {
  /** Such as `filter` or `aggregate`. */
  readonly kind: string
  /** The name given by the user. */
  readonly name?: string | undefined
  /** Shown in topologies, such as `tumbling 1h, grace 10m`. */
  readonly detail?: string | undefined
  /** Values leave as they came (some may be left out). */
  readonly keepsValues?: boolean
  /** Each record leaves as one, or not at all. */
  readonly isOneToOne?: boolean
  /** Columns of what leaves, where they are known. */
  readonly columns?: readonly Column[] | undefined
  /** The step gives records a key of these properties. */
  readonly rekey?: Rekey
  /** The step needs all records of a key in one task, and this state. */
  readonly state?: StepState
  /** Records that the step puts aside go to this topic. */
  readonly aside?: Topic | undefined
  /** Builds the RxJS operator for one task. */
  compile(scope: StepScope): OperatorFunction<StreamRecord, StreamRecord>
}

export interface Rekey {
  readonly columns: readonly Column[]
  /** Each column is the value's property of that name. */
  readonly byName: boolean
}

export interface StepState {
  /** Changes with what makes old state unreadable. */
  readonly shape: string
  /** Distinguishes state of the same records, such as `1h`; undefined: nothing does. */
  readonly suffix: string | undefined
  /** Properties that the step adds to the key. */
  readonly addsToKey: readonly Column[]
}

/** What a step gets of its task. */
export interface StepScope {
  /** Name of the node, for errors and counters. */
  readonly node: string
  readonly task: TaskContext
  readonly store: DurableStore | undefined
  /** Only the last change of each key in an epoch is wanted. */
  readonly lastPerKey: boolean
  /** Takes records that the step puts aside. */
  readonly aside: ((record: StreamRecord) => void) | undefined
  /** Called at each end of an epoch, upstream first; resolves when nothing is under way in the step. */
  onDrain(drain: () => Promise<void> | void): void
  /** Called when a bounded run ends, upstream first: shows what open windows hold; `close`: for good. */
  onFlushWindows(flush: (close: boolean) => void): void
}

/** What the runtime lends to the chain of one task. */
export interface TaskContext {
  /** The partition of its inputs. */
  readonly partition: number
  readonly clock: Clock
  readonly signal: AbortSignal
  /** The store of this name, restored. */
  store(spec: StoreSpec): DurableStore
  /** Takes a record that reached an output (its key and time as the output's topic wants them). */
  emit(output: string, record: StreamRecord): void
  /**
   * A callback threw on this record. Throws what ends the run, naming node and record, under the policy
   * `fail`; else the record is counted (and kept as a dead letter) and the operator passes it over.
   */
  failed(node: string, record: StreamRecord, error: unknown): void
  /** Hears of a record that an operator left out although the user did not ask for it. */
  dropped(node: string, reason: DropReason, record: StreamRecord): void
}

/**
 * `late`: too late for a window (said once per window that refuses the record); `null-key`: without a key
 * where one is needed; `failed`: its `mapAsync` failed and `onError` is `skip`.
 */
export type DropReason = 'late' | 'null-key' | 'failed'
