import { InvariantError } from '@millrace/core'
import type { Clock } from '@millrace/core/io'
import type { DropReason, TaskContext } from '../operators/operator.ts'
import type { StreamRecord } from '../operators/record.ts'
import type { DurableStore, StoreSpec } from '../state/store.ts'
import type { OriginalRecord } from './dead-letter.ts'
import type { Failure, Failures } from './failures.ts'
import type { PartitionInput } from './partition-input.ts'
import type { StageCounters } from './progress.ts'

/** What differs between the stages' tasks. */
interface StageTaskOptions {
  readonly partition: number
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly counters: StageCounters
  readonly failures: Failures
  readonly inputs: readonly PartitionInput[]
  readonly store: (spec: StoreSpec) => DurableStore
  readonly emit: (output: string, record: StreamRecord) => void
  readonly dropped?: (reason: DropReason) => void
}

/** For stages that the planner gave no state. */
export function noStore(spec: StoreSpec): never {
  throw new InvariantError(`the store ${spec.name} is asked for in a stage without state`)
}

/** What a task lends to its chain. */
export class StageTask implements TaskContext {
  readonly partition: number
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly store: (spec: StoreSpec) => DurableStore
  readonly emit: (output: string, record: StreamRecord) => void
  readonly #options: StageTaskOptions

  constructor(options: StageTaskOptions) {
    this.#options = options
    this.partition = options.partition
    this.clock = options.clock
    this.signal = options.signal
    this.store = options.store
    this.emit = options.emit
  }

  failed(node: string, record: StreamRecord, error: unknown): void {
    this.#options.failures.handle(this.failure(node, 'could not be processed', record, error))
  }

  /** A record of this task that failed, with the bytes it was read from while they are at hand. */
  failure(at: string, what: string, record: StreamRecord, error: unknown): Failure {
    const { origin, offset, timestampMs } = record
    const original = () => originalOf(this.#options.inputs, record)
    return { at, what, error, origin, offset, timestampMs, original, made: record.value }
  }

  dropped(_node: string, reason: DropReason, _record: StreamRecord): void {
    const { counters, dropped } = this.#options
    if (reason === 'late') counters.late++
    else if (reason === 'null-key') counters.withoutKey++
    else counters.skipped++
    dropped?.(reason)
  }
}

/** The bytes that a record was read from, while one of the inputs still stands on it. */
export function originalOf(
  inputs: readonly PartitionInput[],
  { origin, offset }: StreamRecord,
): OriginalRecord | undefined {
  return inputs
    .find(({ topic, partition }) => topic === origin.topic && partition === origin.partition)
    ?.original(offset)
}
