import type { OperatorFunction } from 'rxjs'
import type { Clock } from '@millrace/core/io'
import type { DurableStore, StoreSpec } from '../state/store.ts'
import type { StreamRecord } from './record.ts'

/** A step of a stream: from records of key K and value V to records of key K2 and value V2. */
export interface Operator<K, V, K2, V2> {
  readonly step: Step
  /** Only for the compiler. Never set. */
  readonly types?: (record: StreamRecord<K, V>) => StreamRecord<K2, V2>
}

/** What an operator does, as data with its callbacks. */
export interface Step {
  /** Such as `filter` or `aggregate`. */
  readonly kind: string
  /** The name given by the user. */
  readonly name: string | undefined
  /** Shown in topologies, such as `1h tumbling, grace 10m`. */
  readonly detail: string | undefined
  /** The step needs records of one key in one task, and this state. */
  readonly state?: { readonly shape: string; readonly storeName: string }
  /** The step gives records another key. */
  readonly keyColumns?: readonly string[]
  /** Builds the RxJS operator for one task. */
  compile(scope: StepScope): OperatorFunction<StreamRecord, StreamRecord>
}

/** What a step gets of its task. */
export interface StepScope {
  /** Name of the node, for errors and counters. */
  readonly node: string
  readonly task: TaskContext
  readonly store: DurableStore | undefined
  /** Registers what an epoch's end must wait for or flush; called once per epoch, upstream first. */
  onDrain(drain: () => Promise<void> | void): void
}

/** What the runtime lends to the chain of one task. */
export interface TaskContext {
  /** The partition of its inputs. */
  readonly partition: number
  readonly clock: Clock
  readonly signal: AbortSignal
  /** The store of this name, restored. */
  store(spec: StoreSpec): DurableStore
  /** Takes a record that reached an output; the epoch's transaction writes it. */
  emit(output: string, record: StreamRecord): void
  /**
   * A callback threw on this record. Under the policy `fail` this throws what ends the run, naming node
   * and record; else the record is counted (and kept as a dead letter) and the operator passes it over.
   */
  failed(node: string, record: StreamRecord, error: unknown): void
  /** Counts a record that was not used: late for its window, or without a key. Never silent. */
  dropped(node: string, reason: 'late' | 'null-key', record: StreamRecord): void
}
