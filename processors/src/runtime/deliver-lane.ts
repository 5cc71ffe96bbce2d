import { type Column, type Position, RejectedError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import type { DeliverStage } from '../plan.ts'
import type { DeadLetter, OpenSink, SinkContext } from '../sink.ts'
import { appendDeadLetters } from './dead-letter-append.ts'
import { DeadLetterLimit } from './dead-letter-limit.ts'
import { readOriginals, withOriginals } from './dead-letter-originals.ts'
import { bytesOfValue, type DeadLetterRecord, deadLetterTopic } from './dead-letter.ts'
import { type Delivery, DeliverTask } from './deliver-task.ts'
import { Epoch, EPOCH_LIMITS, SIDE_BY_SIDE_LIMITS } from './epoch.ts'
import { failed } from './failures.ts'
import { PositionReporter } from './position-reporter.ts'
import type { StageCounters } from './progress.ts'
import type { RunContext } from './stage-context.ts'

/** Some tenths of a millisecond of reading and decoding. */
const SLICE_RECORDS = 512
/** Enough to begin with when the sink has nothing to do: the next epoch grows while it has. */
const IDLE_SINK_RECORDS = 8 * SLICE_RECORDS

/** The write under way, and whose it is. */
interface Written {
  readonly task: DeliverTask
  readonly delivery: Delivery
  /** Rows that the sink will not have. */
  refused: number
}

/**
 * One connection of a sink and the tasks that share it. Writes go one at a time, and while one is
 * under way the next epoch is read and decoded: at most two epochs are in memory.
 */
export class DeliverLane {
  readonly #context: RunContext
  readonly #stage: DeliverStage
  readonly #counters: StageCounters
  readonly #partitions: readonly number[]
  readonly #onCommitted: () => void
  readonly #epoch: Epoch
  readonly #limit: DeadLetterLimit
  readonly #group: string
  readonly #reporter: PositionReporter
  #sink: OpenSink | undefined
  #tasks: DeliverTask[] = []
  #writing: Promise<void> | undefined
  #written: Written | undefined

  constructor(
    context: RunContext,
    stage: DeliverStage,
    counters: StageCounters,
    partitions: readonly number[],
    onCommitted: () => void,
  ) {
    this.#context = context
    this.#stage = stage
    this.#counters = counters
    this.#partitions = partitions
    this.#onCommitted = onCommitted
    this.#limit = new DeadLetterLimit(context, counters)
    const all = context.topics.get(stage.input.topic.name)?.partitions.length
    const isAlone = partitions.length === all
    this.#epoch = new Epoch(context.clock, isAlone ? EPOCH_LIMITS : SIDE_BY_SIDE_LIMITS)
    this.#group = `${context.plan.pipeline}-${stage.id}`
    this.#reporter = new PositionReporter(context.log, this.#group, context.clock)
  }

  get lag(): number {
    return this.#tasks.reduce((sum, task) => sum + task.input.lag, 0)
  }

  async open(nameOf: (partition: number) => string): Promise<void> {
    const sink = await this.#stage.sink.open(this.#sinkContext())
    this.#sink = sink
    for (const partition of this.#partitions) {
      const at = { sink, partition, name: nameOf(partition), limit: this.#limit }
      const task = await DeliverTask.claim(this.#context, this.#stage, this.#counters, at)
      this.#tasks.push(task)
      await this.#report(task)
    }
  }

  /** True when all its partitions have come to their ends. */
  async run(): Promise<boolean> {
    let hasEnded = false
    try {
      hasEnded = await this.#deliverAll()
    } finally {
      await this.#writing
    }
    if (!this.#context.control.failed) await this.#flush()
    await this.#reporter.flush()
    return hasEnded
  }

  async close(): Promise<void> {
    for (const task of this.#tasks) {
      task.close()
      await task.sinkTask.release()
    }
    await this.#sink?.close()
  }

  /** A run that was killed may have committed more than it could report. */
  async #report({ input, sinkTask }: DeliverTask): Promise<void> {
    if (sinkTask.position === undefined) return
    const { topic, topicId, partition, position } = input
    await this.#reporter.report({ topic, topicId, partition, position })
  }

  async #deliverAll(): Promise<boolean> {
    const { control } = this.#context
    while (!control.draining) {
      const open = this.#tasks.filter((task) => !this.#hasEnded(task))
      const arriving = open.map((task) => task.input.fetch())
      const task = this.#nextReady()
      if (task === undefined) {
        if (open.length === 0) return true
        await control.waitFor(arriving)
        continue
      }
      await this.#fillEpoch(task)
      const delivery = await task.seal(this.#epoch)
      this.#epoch.restart()
      await this.#writing
      if (control.failed) return false
      this.#write(task, delivery)
    }
    return false
  }

  #hasEnded({ input }: DeliverTask): boolean {
    const end = this.#context.bounds.endOf(input.topic, input.partition)
    return end !== undefined && input.position.offset >= end
  }

  /** Tasks take turns. */
  #nextReady(): DeliverTask | undefined {
    const index = this.#tasks.findIndex((task) => task.isReady)
    if (index < 0) return undefined
    const [task] = this.#tasks.splice(index, 1)
    if (task !== undefined) this.#tasks.push(task)
    return task
  }

  /**
   * Until the epoch is over or its input is drained; while another write is under way there is no
   * hurry, so that the next one grows. That write must not wait for us at each of its steps: between
   * short slices it gets its turn, and so the server works while we do. Nor does a sink that has
   * nothing to do wait for a whole epoch.
   */
  async #fillEpoch(task: DeliverTask): Promise<void> {
    const { control } = this.#context
    const epoch = this.#epoch
    while (!control.draining) {
      epoch.beginSlice(SLICE_RECORDS)
      task.take(epoch)
      if (epoch.isOver || epoch.remainingMs === 0) return
      if (this.#writing !== undefined) await turnOfOthers()
      if (this.#writing === undefined && epoch.records >= IDLE_SINK_RECORDS) return
      if (task.isReady) continue
      if (task.input.hasMore) await task.input.fetch()
      else if (this.#writing === undefined || this.#hasEnded(task)) return
      else await control.waitFor([this.#writing, task.input.fetch()])
    }
  }

  #write(task: DeliverTask, delivery: Delivery): void {
    this.#written = { task, delivery, refused: 0 }
    this.#writing = this.#commit(task, delivery).finally(() => (this.#writing = undefined))
    this.#writing.catch((error: unknown) => this.#context.control.fail(error))
  }

  async #commit(task: DeliverTask, delivery: Delivery): Promise<void> {
    const { log } = this.#context
    const { batch, letters, position, records, bytes } = delivery
    await this.#keep(await withOriginals(log, letters))
    if (batch.size > 0 || letters.length > 0) await this.#writeBatch(task, delivery)
    this.#countRefused()
    this.#counters.rows += records
    this.#counters.bytes += bytes
    this.#limit.committed()
    this.#onCommitted()
    const durable = task.durable(position)
    if (durable !== undefined) await this.#passed(task, durable, batch.size > 0)
  }

  /** The sink holds all below this position for good. */
  async #passed(task: DeliverTask, position: Position, hasRows: boolean): Promise<void> {
    const { topic, topicId, partition } = task.input
    const { log, trimmer } = this.#context
    const stored = { topic, topicId, partition, position }
    if (this.#stage.sink.guarantee === 'exactly-once') await this.#reporter.report(stored)
    else await log.commitPositions({ group: this.#group, positions: [stored] })
    if (hasRows) await trimmer.committed(this.#stage.id, topic, partition, position.offset)
  }

  /** The input has ended or the run drains: sinks that gather store what they have. */
  async #flush(): Promise<void> {
    for (const task of this.#tasks) {
      if (task.sinkTask.flush === undefined) continue
      await task.sinkTask.flush()
      const durable = task.durable()
      if (durable !== undefined) await this.#passed(task, durable, true)
    }
  }

  /** The sink counts rows of its batch; whoever reads the error looks for a record of the topic. */
  async #writeBatch({ input, sinkTask }: DeliverTask, delivery: Delivery): Promise<void> {
    try {
      await sinkTask.write(delivery.batch)
    } catch (error) {
      const index = error instanceof RejectedError ? error.facts['index'] : undefined
      if (!(error instanceof RejectedError) || typeof index !== 'number') throw error
      const { cause } = error.facts
      const reason = typeof cause === 'string' ? cause : error.message
      throw failed({
        at: this.#stage.sink.name,
        what: 'cannot be stored',
        error: new RejectedError(error.code, reason, { cause: error, facts: error.facts }),
        origin: { topic: input.topic, partition: input.partition },
        offset: delivery.offsets[index] ?? -1,
      })
    }
  }

  #sinkContext(): SinkContext {
    const { logId, openings, plan, control, onError, notice } = this.#context
    return {
      pipeline: plan.pipeline,
      logId,
      openings,
      columns: firstOfName(this.#stage.columns),
      ...(onError === 'fail'
        ? {}
        : { deadLetter: (refused: readonly DeadLetter[]) => this.#refused(refused) }),
      notice,
      signal: control.abort,
    }
  }

  /** Rows that the sink will not have; under the policy `skip` they are only counted. */
  async #refused(refused: readonly DeadLetter[]): Promise<void> {
    const { onError } = this.#context
    const written = this.#written
    invariant(written !== undefined, 'a sink refused rows that it was not given')
    // A sink that lost its connection in the commit says the same again; they are counted once written.
    written.refused = refused.length
    if (onError === 'skip') return
    const letters = await this.#lettersOf(written, refused)
    const [first] = letters
    if (first !== undefined) this.#limit.expectRoom(letters.length, first)
    await this.#keep(letters)
  }

  #countRefused(): void {
    const refused = this.#written?.refused ?? 0
    this.#counters.skipped += refused
    if (this.#context.onError === 'dead-letter') this.#counters.deadLetters += refused
  }

  async #lettersOf(
    { task, delivery }: Written,
    refused: readonly DeadLetter[],
  ): Promise<DeadLetterRecord[]> {
    const { topic, partition } = task.input
    const origin = { topic, partition }
    const at = this.#stage.sink.name
    const offsets = refused.map(({ index }) => delivery.offsets[index] ?? -1)
    const ascending = offsets.toSorted((a, b) => a - b)
    const originals = await readOriginals(this.#context.log, origin, ascending)
    return refused.map(({ index, ...why }, place) => {
      const offset = offsets[place] ?? -1
      const record = originals.get(offset)
      const made = { key: null, value: bytesOfValue(delivery.batch.values[index]), headers: [] }
      const isOriginal = record !== undefined
      return { origin, offset, at, timestampMs: 0, ...why, isOriginal, ...(record ?? made) }
    })
  }

  /** Durable before the commit that passes them, which is the sink's: the group's position follows it. */
  async #keep(letters: readonly DeadLetterRecord[]): Promise<void> {
    const { log, plan } = this.#context
    const own = letters.map((letter) => ({ ...letter, group: this.#group }))
    await appendDeadLetters(log, deadLetterTopic(plan.pipeline), own)
  }
}

/** Whatever input and output has come meanwhile is served first. */
function turnOfOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A key's column stands before the value's of the same name. */
function firstOfName(columns: readonly Column[]): Column[] {
  return columns.filter(
    ({ name }, index) => columns.findIndex((other) => other.name === name) === index,
  )
}
