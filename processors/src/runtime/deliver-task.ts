import { type Log, type Position, UsageError } from '@millrace/core'
import type { Chain } from '../operators/chain.ts'
import type { NamedKey, StreamRecord } from '../operators/record.ts'
import type { DeliverStage } from '../plan.ts'
import type { OpenSink, SinkBatch, SinkTask } from '../sink.ts'
import type { DeadLetterRecord } from './dead-letter.ts'
import type { DeadLetterLimit } from './dead-letter-limit.ts'
import type { Epoch } from './epoch.ts'
import { Failures } from './failures.ts'
import { MergedInputs, type RecordReceiver } from './merged-inputs.ts'
import { PartitionInput } from './partition-input.ts'
import type { StageCounters } from './progress.ts'
import { fromStored, toStored } from './sink-position.ts'
import type { RunContext } from './stage-context.ts'
import { noStore, StageTask } from './stage-task.ts'

type Row = Readonly<Record<string, unknown>>

/** Rows on their way to a sink, with what is needed to speak about each of them. */
export interface Delivery {
  readonly batch: SinkBatch
  /** Entry i: the record that row i was made from. */
  readonly offsets: readonly number[]
  /** Records that will not reach the sink; durable before the batch is written. */
  readonly letters: readonly DeadLetterRecord[]
  /** Input consumed. */
  readonly records: number
  readonly bytes: number
  readonly position: Position
}

/** Rows of the open epoch. */
interface OpenRows {
  readonly keys: (NamedKey | null)[]
  readonly values: (Row | null)[]
  readonly offsets: number[]
  readonly letters: DeadLetterRecord[]
}

/** One partition on its way into a sink. */
export class DeliverTask implements RecordReceiver {
  readonly name: string
  readonly input: PartitionInput
  readonly sinkTask: SinkTask
  readonly #merged: MergedInputs
  readonly #chain: Chain | undefined
  readonly #failures: Failures
  /** Appended rows find the key's columns in the value as well. */
  readonly #readsKeys: boolean
  #rows: OpenRows = openRows()

  private constructor(
    context: RunContext,
    stage: DeliverStage,
    counters: StageCounters,
    claimed: { name: string; input: PartitionInput; sinkTask: SinkTask; limit: DeadLetterLimit },
  ) {
    this.name = claimed.name
    this.input = claimed.input
    this.sinkTask = claimed.sinkTask
    this.#merged = new MergedInputs([this.input])
    this.#readsKeys = stage.sink.mode === 'upsert' || stage.input.topic.keyByName !== true
    this.#failures = new Failures(context.onError, counters, claimed.limit, (letter) =>
      this.#rows.letters.push(letter),
    )
    if (stage.nodes.length === 0) return
    const task = new StageTask({
      partition: this.input.partition,
      clock: context.clock,
      signal: context.control.abort,
      counters,
      failures: this.#failures,
      inputs: [this.input],
      store: noStore,
      emit: (_, record) => this.#addRow(record),
    })
    this.#chain = context.compile(stage, task)
  }

  /** Claims the task and goes on where its sink says. */
  static async claim(
    context: RunContext,
    stage: DeliverStage,
    counters: StageCounters,
    at: {
      readonly sink: OpenSink
      readonly partition: number
      readonly name: string
      readonly limit: DeadLetterLimit
    },
  ): Promise<DeliverTask> {
    const sinkTask = await at.sink.claim(at.name)
    const position = await startPosition(context, stage, at.partition, sinkTask)
    const topic = context.topics.get(stage.input.topic.name)
    const input = new PartitionInput(context.log, stage.input, {
      topicId: topic?.topicId ?? '',
      partition: at.partition,
      position,
      lastStableOffset: topic?.partitions[at.partition]?.lastStableOffset ?? 0,
    })
    return new DeliverTask(context, stage, counters, {
      name: at.name,
      input,
      sinkTask,
      limit: at.limit,
    })
  }

  get isReady(): boolean {
    return this.#merged.isReady
  }

  /** Takes what is at hand into the epoch. */
  take(epoch: Epoch): void {
    if (this.#chain === undefined) this.#takeRows(epoch)
    else this.#merged.take(epoch, this)
  }

  receive(input: PartitionInput, record: StreamRecord): void {
    this.#chain?.push(input.id, record)
  }

  poison(input: PartitionInput, error: unknown): void {
    this.#failures.handle(input.poison(error))
  }

  /** Ends the epoch: its rows, and the position after them. */
  async seal(epoch: Epoch): Promise<Delivery> {
    await this.#chain?.drain()
    const { keys, values, offsets, letters } = this.#rows
    const { topic, topicId, partition, position } = this.input
    this.#rows = openRows()
    const stored = toStored({ topic, topicId, partition, ...position })
    return {
      batch: { size: values.length, keys, values, position: stored },
      offsets,
      letters,
      position,
      records: epoch.records,
      bytes: epoch.bytes,
    }
  }

  /** How far the sink holds the rows for good, `written` being what it was given; undefined: nothing new is known. */
  durable(written?: Position): Position | undefined {
    const { sinkTask, input } = this
    if (sinkTask.flush === undefined) return written
    const { topic, topicId, partition } = input
    if (sinkTask.position === undefined) return undefined
    return fromStored(sinkTask.position, { sink: this.name, topic, topicId, partition })
  }

  close(): void {
    this.#chain?.close()
  }

  /** Without operators the records themselves are the rows; nothing else is made of them. */
  #takeRows(epoch: Epoch): void {
    const { input } = this
    const { keys, values, offsets } = this.#rows
    while (epoch.takesMore && input.step()) {
      epoch.add(input.recordBytes)
      try {
        const value = input.value() as Row | null
        keys.push(this.#readsKeys || value === null ? input.key() : null)
        values.push(value)
        offsets.push(input.offset)
      } catch (error) {
        this.poison(input, error)
      }
      input.take()
    }
  }

  #addRow({ key, value, offset }: StreamRecord): void {
    this.#rows.keys.push(key as NamedKey | null)
    this.#rows.values.push(value as Row | null)
    this.#rows.offsets.push(offset)
  }
}

function openRows(): OpenRows {
  return { keys: [], values: [], offsets: [], letters: [] }
}

async function startPosition(
  context: RunContext,
  stage: DeliverStage,
  partition: number,
  sinkTask: SinkTask,
): Promise<Position> {
  const { log, plan, topics, trimmer } = context
  const { sink } = stage
  const topic = topics.get(stage.input.topic.name)
  const present = {
    sink: sink.name,
    topic: stage.input.topic.name,
    topicId: topic?.topicId ?? '',
    partition,
  }
  if (sinkTask.position !== undefined) return fromStored(sinkTask.position, present)
  if (sink.guarantee === 'at-least-once') {
    const stored = await storedPosition(log, `${plan.pipeline}-${stage.id}`, present)
    if (stored !== undefined) return stored
  }
  const startOffset = topic?.partitions[partition]?.startOffset ?? 0
  if (startOffset > 0 && trimmer.trims(present.topic)) throw usedUp(present, startOffset)
  return { offset: startOffset, leaderEpoch: -1 }
}

async function storedPosition(
  log: Log,
  group: string,
  { topic, topicId, partition }: { topic: string; topicId: string; partition: number },
): Promise<Position | undefined> {
  const positions = await log.readPositions(group)
  const found = positions.find((at) => at.topic === topic && at.partition === partition)
  return found?.topicId === topicId ? found.position : undefined
}

function usedUp(
  present: { sink: string; topic: string; partition: number },
  startOffset: number,
): UsageError {
  return new UsageError(
    'POSITION_MISSING',
    `${present.sink} has no position for ${present.topic}[${present.partition}], whose first ${startOffset} ` +
      `records were delivered to it before and are gone from the log: the sink was emptied or replaced. ` +
      `Bring its data back; or delete the log (or give the pipeline another name) to build everything afresh.`,
    { facts: { ...present, startOffset } },
  )
}
