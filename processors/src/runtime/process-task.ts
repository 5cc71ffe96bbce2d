import type { Log, Position, StoredPosition } from '@millrace/core'
import type { Chain } from '../operators/chain.ts'
import type { StreamRecord } from '../operators/record.ts'
import type { ProcessStage } from '../plan.ts'
import type { DurableStore, StoreSpec } from '../state/store.ts'
import { Changelog, type OutdatedChanges } from './changelog.ts'
import type { Epoch } from './epoch.ts'
import { Failures } from './failures.ts'
import { MergedInputs, type RecordReceiver } from './merged-inputs.ts'
import type { OutputWriter } from './output-writer.ts'
import { PartitionInput } from './partition-input.ts'
import type { StageCounters } from './progress.ts'
import type { RunContext } from './stage-context.ts'
import { StageTask } from './stage-task.ts'
import type { TransactionalWriter } from './transactional-writer.ts'

/** What a task commits beside its position, in that position's metadata. */
interface TaskTotals {
  late: number
  withoutKey: number
  /** How its windows were flushed at the end of its input, when nothing came since. */
  flushed?: 'early' | 'closed' | undefined
}

/** What a task's stage lends it. */
export interface ProcessTaskOptions {
  readonly context: RunContext
  readonly stage: ProcessStage
  readonly partition: number
  readonly counters: StageCounters
  readonly failures: Failures
  readonly outputs: ReadonlyMap<string, OutputWriter>
  /** The stage's committed positions. */
  readonly positions: readonly StoredPosition[]
}

/** One partition of a process stage: its inputs, its operators and their state. */
export class ProcessTask implements RecordReceiver {
  readonly partition: number
  readonly inputs: MergedInputs
  readonly #options: ProcessTaskOptions
  readonly #stores = new Map<string, DurableStore>()
  readonly #changelogs: readonly Changelog[]
  readonly #totals: TaskTotals
  readonly #chain: Chain
  /** It has taken something that is not committed yet. */
  #isTouched = false

  constructor(options: ProcessTaskOptions) {
    const { context, stage, partition, counters, failures, outputs } = options
    this.#options = options
    this.partition = partition
    this.inputs = new MergedInputs(openInputs(options))
    this.#changelogs = stage.stores.map((spec) => {
      const store = context.createStore(spec)
      this.#stores.set(spec.name, store)
      return new Changelog(spec.changelogTopic, partition, store)
    })
    this.#totals = committedTotals(options)
    counters.late += this.#totals.late
    counters.withoutKey += this.#totals.withoutKey
    const task = new StageTask({
      partition,
      clock: context.clock,
      signal: context.control.abort,
      counters,
      failures,
      inputs: this.inputs.inputs,
      store: (spec) => this.#store(spec),
      emit: (output, record) => outputs.get(output)?.write(record, partition),
      dropped: (reason) => {
        if (reason === 'late') this.#totals.late++
        else if (reason === 'null-key') this.#totals.withoutKey++
      },
    })
    this.#chain = context.compile(stage, task)
  }

  get isTouched(): boolean {
    return this.#isTouched
  }

  /** Adds what there is to be read back to the stage's count. */
  async countRestoreLeft(log: Log): Promise<void> {
    const { counters } = this.#options
    for (const changelog of this.#changelogs) counters.restoreLeft += await changelog.length(log)
  }

  /** Reads its state back, as it was when its positions were committed. */
  async restore(log: Log): Promise<void> {
    for (const changelog of this.#changelogs) await changelog.restore(log, this.#options.counters)
  }

  /** Takes what is at hand into the epoch. */
  take(epoch: Epoch): void {
    if (!this.inputs.isReady) return
    this.#isTouched = true
    const before = epoch.records
    this.inputs.take(epoch, this)
    if (epoch.records > before) this.#totals.flushed = undefined
  }

  receive(input: PartitionInput, record: StreamRecord): void {
    this.#chain.push(input.id, record)
  }

  poison(input: PartitionInput, error: unknown): void {
    this.#options.failures.handle(input.poison(error))
  }

  /** Shows (`early`) or ends (`closed`) the windows still open at the end of the input; once. */
  flush(how: 'early' | 'closed'): void {
    const { flushed } = this.#totals
    if (flushed === how || flushed === 'closed' || this.#stores.size === 0) return
    this.#chain.flushWindows({ close: how === 'closed' })
    this.#totals.flushed = how
    this.#isTouched = true
  }

  /** Lets asynchronous operators finish. */
  drain(): Promise<void> {
    return this.#chain.drain()
  }

  /** Writes what changed in its state since the last epoch; gives the positions to commit with it. */
  seal(writer: TransactionalWriter): StoredPosition[] {
    const nowMs = this.#options.context.clock.nowMs()
    for (const changelog of this.#changelogs) changelog.write(writer, nowMs)
    this.#isTouched = false
    const metadata = JSON.stringify(this.#totals)
    return this.inputs.inputs.map(({ topic, partition, topicId, position }) => {
      return { topic, partition, topicId, position, metadata }
    })
  }

  /** What the changelogs may give up once the epoch that was last sealed is committed. */
  takeOutdated(): OutdatedChanges[] {
    return this.#changelogs.flatMap((changelog) => changelog.takeOutdated() ?? [])
  }

  /** Has changelogs that became long begin to shorten themselves. */
  async shortenChangelogs(): Promise<void> {
    for (const changelog of this.#changelogs) await changelog.beginRound(this.#options.context.log)
  }

  close(): void {
    this.#chain.close()
  }

  #store(spec: StoreSpec): DurableStore {
    const store = this.#stores.get(spec.name) ?? this.#options.context.createStore(spec)
    this.#stores.set(spec.name, store)
    return store
  }
}

const START: Position = { offset: 0, leaderEpoch: -1 }

function openInputs({ context, stage, partition, positions }: ProcessTaskOptions) {
  return stage.inputs.flatMap((input) => {
    const topic = context.topics.get(input.topic.name)
    const found = topic?.partitions[partition]
    if (topic === undefined || found === undefined) return []
    const stored = positions.find((at) => at.topic === topic.name && at.partition === partition)
    const { startOffset, lastStableOffset } = found
    const start = startOffset === 0 ? START : { offset: startOffset, leaderEpoch: -1 }
    const position = stored?.position ?? start
    const topicId = stored?.topicId ?? topic.topicId
    const at = { topicId, partition, position, lastStableOffset }
    return [new PartitionInput(context.log, input, at)]
  })
}

function committedTotals({ positions, partition }: ProcessTaskOptions): TaskTotals {
  const own = positions.find((at) => at.partition === partition && at.metadata !== undefined)
  const none: TaskTotals = { late: 0, withoutKey: 0 }
  if (own?.metadata === undefined || own.metadata === '') return none
  return { ...none, ...(JSON.parse(own.metadata) as TaskTotals) }
}
