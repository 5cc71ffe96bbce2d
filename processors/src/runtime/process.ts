import type { StoredPosition } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import type { StreamRecord } from '../operators/record.ts'
import type { ProcessStage } from '../plan.ts'
import type { OutdatedChanges } from './changelog.ts'
import { type DeadLetterRecord, deadLetterTopic } from './dead-letter.ts'
import { DeadLetterLimit } from './dead-letter-limit.ts'
import { withOriginals } from './dead-letter-originals.ts'
import { Epoch } from './epoch.ts'
import { Failures } from './failures.ts'
import { OutputWriter } from './output-writer.ts'
import type { PartitionInput } from './partition-input.ts'
import { ProcessTask } from './process-task.ts'
import { StageCounters } from './progress.ts'
import { originalOf } from './stage-task.ts'
import type { RunContext, StageRun } from './stage-context.ts'
import { outputTopics } from './topics.ts'
import { transactionalId } from './transactional-id.ts'
import { TransactionalWriter } from './transactional-writer.ts'
import { Upkeep } from './upkeep.ts'
import { writtenTopics } from './written-topics.ts'

/**
 * Topics → operators with state → topics. All tasks that have input share an epoch and its
 * transaction of outputs, changelogs and positions; the next epoch is worked on while it commits.
 */
export class ProcessRun implements StageRun {
  readonly counters: StageCounters
  readonly #context: RunContext
  readonly #stage: ProcessStage
  readonly #group: string
  readonly #epoch: Epoch
  readonly #upkeep: Upkeep
  readonly #outputs = new Map<string, OutputWriter>()
  #tasks: ProcessTask[] = []
  #inputs: readonly PartitionInput[] = []
  #writer: TransactionalWriter | undefined
  /** Of the open epoch. */
  #letters: DeadLetterRecord[] = []
  /** The commit in flight. */
  #committing: Promise<void> | undefined

  constructor(context: RunContext, stage: ProcessStage) {
    this.#context = context
    this.#stage = stage
    this.#group = `${context.plan.pipeline}-${stage.id}`
    this.counters = new StageCounters(stage.id, 'process')
    this.#epoch = new Epoch(context.clock)
    this.#upkeep = new Upkeep(context.control)
  }

  async open(): Promise<void> {
    const { log, plan, thread, share, onError } = this.#context
    const stage = this.#stage
    const changelogs = stage.stores.map((store) => store.changelogTopic)
    const writer = await TransactionalWriter.open(
      log,
      transactionalId(plan.pipeline, stage.id, thread),
      writtenTopics(this.#context, [...outputTopics(stage), ...changelogs]),
    )
    this.#writer = writer
    const failures = new Failures(
      onError,
      this.counters,
      new DeadLetterLimit(this.#context, this.counters),
      (letter) => this.#letters.push(letter),
    )
    this.#openOutputs(writer, failures)
    const positions = await log.readPositions(this.#group)
    const partitions = share.get(stage.id)?.flat() ?? []
    this.#tasks = partitions.map((partition) => {
      const { counters } = this
      const outputs = this.#outputs
      const context = this.#context
      return new ProcessTask({ context, stage, partition, counters, failures, outputs, positions })
    })
    this.#inputs = this.#tasks.flatMap((task) => task.inputs.inputs)
    this.counters.state = 'restoring'
    for (const task of this.#tasks) await task.countRestoreLeft(log)
    for (const task of this.#tasks) await task.restore(log)
    this.counters.restoreLeft = 0
    this.#countRowsLeft()
  }

  async run(): Promise<void> {
    const { control, bounds, final } = this.#context
    try {
      const hasEnded = await this.#processAll()
      control.abort.throwIfAborted()
      if (hasEnded) for (const task of this.#tasks) task.flush(final ? 'closed' : 'early')
      await this.#commit()
      await this.#committing
      if (!hasEnded) return
      this.counters.state = 'ended'
      await bounds.stageEnded(outputTopics(this.#stage))
    } catch (error) {
      await this.#writer?.abort().catch(() => {})
      throw error
    }
  }

  async close(): Promise<void> {
    for (const task of this.#tasks) task.close()
    await this.#upkeep.finish()
  }

  #openOutputs(writer: TransactionalWriter, failures: Failures): void {
    const refuse = (at: string, record: StreamRecord, error: unknown) => {
      const { origin, offset, timestampMs, value: made } = record
      // What state has counted already is a result, and not the record to be sent again.
      const isRecord = this.#stage.stores.length === 0
      const original = () => (isRecord ? originalOf(this.#inputs, record) : undefined)
      const what = 'cannot be written'
      failures.handle({ at, what, error, origin, offset, timestampMs, original, made })
    }
    for (const output of this.#stage.outputs) {
      this.#outputs.set(output.id, new OutputWriter(output, writer, refuse))
    }
  }

  /** True when all inputs have come to their ends. */
  async #processAll(): Promise<boolean> {
    const { control } = this.#context
    while (!control.draining) {
      const open = this.#inputs.filter((input) => !this.#hasEnded(input))
      const arriving = open.map((input) => input.fetch())
      if (!this.#tasks.some((task) => task.inputs.isReady)) {
        if (open.length === 0) return true
        this.counters.state = 'waiting'
        await control.waitFor(arriving)
        continue
      }
      this.counters.state = 'running'
      await this.#fillEpoch()
      await this.#commit()
    }
    return false
  }

  #hasEnded(input: PartitionInput): boolean {
    const end = this.#context.bounds.endOf(input.topic, input.partition)
    return end !== undefined && input.position.offset >= end
  }

  /** Until the epoch is over or its input is drained. */
  async #fillEpoch(): Promise<void> {
    const epoch = this.#epoch
    for (;;) {
      for (const task of this.#tasks) task.take(epoch)
      if (epoch.isOver || epoch.remainingMs === 0) break
      const more = this.#inputs.filter((input) => !input.isReady && input.hasMore)
      if (more.length === 0) break
      await Promise.all(more.map((input) => input.fetch()))
    }
    // Whoever had to wait for the limit begins the next epoch.
    const first = this.#tasks.shift()
    if (first !== undefined) this.#tasks.push(first)
  }

  async #commit(): Promise<void> {
    const writer = this.#writer
    invariant(writer !== undefined, 'a process stage committed before it was opened')
    const touched = this.#tasks.filter((task) => task.isTouched)
    if (touched.length === 0) return
    await Promise.all(touched.map((task) => task.drain()))
    for (const output of this.#outputs.values()) output.seal()
    await this.#writeLetters(writer)
    const positions = touched.flatMap((task) => task.seal(writer))
    const outdated = touched.flatMap((task) => task.takeOutdated())
    const { records, bytes } = this.#epoch
    this.#epoch.restart()
    await this.#committing
    const ended = writer.commit([{ group: this.#group, positions }])
    // Nobody else hears of it before more input comes.
    ended.catch((error: unknown) => this.#context.control.fail(error))
    this.#committing = ended.then(() => {
      this.#committing = undefined
      this.counters.rows += records
      this.counters.bytes += bytes
      this.#countRowsLeft()
      this.#upkeep.add(() => this.#giveUp(touched, positions, outdated))
    })
    this.#committing.catch(() => {})
  }

  /** What nobody needs once an epoch is committed. */
  async #giveUp(
    tasks: readonly ProcessTask[],
    positions: readonly StoredPosition[],
    outdated: readonly OutdatedChanges[],
  ): Promise<void> {
    const { log, trimmer } = this.#context
    for (const { belowOffset, ...place } of outdated) await log.trim(place, belowOffset)
    for (const task of tasks) await task.shortenChangelogs()
    for (const { topic, partition, position } of positions) {
      await trimmer.committed(this.#stage.id, topic, partition, position.offset)
    }
  }

  /** Records that failed after they had left memory are read back first. */
  async #writeLetters(writer: TransactionalWriter): Promise<void> {
    if (this.#letters.length === 0) return
    const { log, plan } = this.#context
    const results = this.#letters.filter(({ at }) => this.#isResult(at))
    const records = this.#letters.filter(({ at }) => !this.#isResult(at))
    this.#letters = []
    for (const letter of [...results, ...(await withOriginals(log, records))]) {
      writer.appendDeadLetter(deadLetterTopic(plan.pipeline), letter)
    }
  }

  #isResult(at: string): boolean {
    return this.#stage.stores.length > 0 && this.#outputs.has(at)
  }

  #countRowsLeft(): void {
    this.counters.rowsLeft = this.#inputs.reduce((sum, input) => sum + input.lag, 0)
  }
}
