import { type Log, open, UsageError } from '@millrace/core'
import { SimulatedMachine, type SimulatedPorts } from '@millrace/core/testing'
import type { NamedKey, StreamRecord } from '../operators/record.ts'
import { compileChain } from '../operators/chain.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Plan, Stage } from '../plan.ts'
import type { ErrorPolicy, RunResult } from '../runtime/options.ts'
import { readToEnd } from '../runtime/compacted-topic.ts'
import { OutputWriter } from '../runtime/output-writer.ts'
import { runPlan } from '../runtime/run-plan.ts'
import { prepareTopics } from '../runtime/topics.ts'
import { TransactionalWriter } from '../runtime/transactional-writer.ts'
import { MemoryStore } from '../state/memory-store.ts'
import type { Topic } from '../topic.ts'
import { type Duration, durationMs } from '../windows/duration.ts'
import { crashAfter } from './crash-after.ts'
import { FedSource } from './fed-source.ts'
import { type KeptRow, KeptSink } from './kept-sink.ts'

/** A record as it lies in a topic, decoded. */
export interface TopicRecord {
  readonly partition: number
  readonly offset: number
  readonly key: NamedKey | null
  readonly value: unknown
  readonly timestampMs: number
  /** Header values as text; of a repeated one, the last. */
  readonly headers: Readonly<Record<string, string | null>>
}

/** The world that a test runs in. */
export interface PipelineTestOptions {
  /** Decides what the simulated disk and scheduler do; the same seed gives the same life. Default 1. */
  readonly seed?: number
  /** Wall-clock time at the start, milliseconds since 1970. */
  readonly startMs?: number
}

/** How a test lets its pipeline run, once. */
export interface FlowOptions {
  /** Close the windows still open at the end. */
  readonly final?: boolean
  readonly onError?: ErrorPolicy
  readonly signal?: AbortSignal
  /** Another version of the pipeline, on the same log and sinks. */
  readonly pipeline?: Pipeline
  /** The process is killed instead of its n-th change to the log; `flow` then resolves with undefined. */
  readonly killAtChange?: number
}

const DIRECTORY = '/log'

/**
 * Drives a pipeline in memory: a simulated disk, a clock that moves when told to, all partitions, and
 * stand-ins for its sources and sinks. Everything between them is what runs in production.
 */
export class PipelineTest {
  readonly #plan: Plan
  readonly #machine: SimulatedMachine
  readonly #sources = new Map<string, FedSource>()
  readonly #sinks = new Map<string, KeptSink>()
  #ports: SimulatedPorts
  #log: Log | undefined

  constructor(pipeline: Pipeline, { seed = 1, startMs }: PipelineTestOptions = {}) {
    this.#plan = this.#standIn(pipeline.plan)
    this.#machine = new SimulatedMachine(seed)
    this.#ports = this.#machine.boot()
    if (startMs !== undefined) this.#ports.clock.jump(startMs - this.#ports.clock.nowMs())
  }

  /** Gives a source's next batch; the name may be left out when there is one source. */
  feed(rows: readonly unknown[], source?: string): void {
    named(this.#sources, source, 'source').feed(rows)
  }

  /** Writes values to a topic, as its producer would. */
  async send(topic: Topic, values: readonly unknown[]): Promise<void> {
    await this.#until(this.#send(topic, values))
  }

  /** Lets everything that is there pass through all stages; undefined when it was killed on the way. */
  async flow(options: FlowOptions = {}): Promise<RunResult | undefined> {
    const { killAtChange, final, onError, signal } = options
    const log = await this.#until(this.#open())
    let wasKilled = false
    const { promise: killed, resolve } = Promise.withResolvers<undefined>()
    const kill = () => {
      wasKilled = true
      this.kill()
      resolve(undefined)
    }
    const parts = {
      compile: compileChain,
      createStore: ({ name }: { readonly name: string }) => new MemoryStore(name),
    }
    const plan = options.pipeline === undefined ? this.#plan : this.#standIn(options.pipeline.plan)
    const run = runPlan(plan, parts, {
      log: killAtChange === undefined ? log : crashAfter(log, killAtChange, kill),
      clock: this.#ports.clock,
      ...(final !== undefined && { final }),
      ...(onError !== undefined && { onError }),
      ...(signal !== undefined && { signal }),
    })
    try {
      return await this.#until(Promise.race([run, killed]))
    } finally {
      if (!wasKilled) await this.#close()
    }
  }

  /** Lets time pass. */
  advance(duration: Duration): void {
    this.#ports.clock.advance(durationMs(duration))
  }

  /** Ends the process as kill −9 does; the next {@link PipelineTest.flow} begins with a new one. */
  kill(): void {
    this.#log = undefined
    this.#machine.kill()
    this.#ports = this.#machine.boot()
  }

  /** As `kill`, and what was not synced may be lost. */
  losePower(): void {
    this.#log = undefined
    this.#machine.losePower()
    this.#ports = this.#machine.boot()
  }

  /** The rows that a sink has; the name may be left out when there is one sink. */
  rows(sink?: string): readonly KeptRow[] {
    return named(this.#sinks, sink, 'sink').rows
  }

  /** Works on the log between two runs. */
  async withLog<T>(work: (log: Log) => Promise<T>): Promise<T> {
    return this.#until(this.#open().then(work))
  }

  /** The committed records of a topic, partition by partition. */
  async records(topic: Topic): Promise<readonly TopicRecord[]> {
    return this.#until(this.#records(topic))
  }

  #standIn(plan: Plan): Plan {
    const stages = plan.stages.map((stage): Stage => {
      if (stage.kind === 'ingest') {
        const { name } = stage.input.source
        const fed = this.#sources.get(name) ?? new FedSource(name)
        this.#sources.set(name, fed)
        return { ...stage, input: { ...stage.input, source: fed.source } }
      }
      if (stage.kind === 'process') return stage
      const kept = this.#sinks.get(stage.sink.name) ?? new KeptSink(stage.sink)
      this.#sinks.set(stage.sink.name, kept)
      return { ...stage, sink: kept.sink }
    })
    return { ...plan, stages }
  }

  async #open(): Promise<Log> {
    this.#log ??= await open(DIRECTORY, { ports: this.#ports })
    return this.#log
  }

  async #close(): Promise<void> {
    const log = this.#log
    this.#log = undefined
    if (log !== undefined) await this.#until(log.close())
  }

  async #send(topic: Topic, values: readonly unknown[]): Promise<void> {
    const log = await this.#open()
    const topics = await prepareTopics(log, this.#plan, false)
    const { name } = topic
    const found = topics.get(name) ?? (await log.createTopic({ name }))
    const { compression, maxMessageBytes } = found.config
    const written = { name, partitions: found.partitions.length, compression, maxMessageBytes }
    const writer = await TransactionalWriter.open(log, `${this.#plan.pipeline}-test`, [written])
    const output = { id: name, from: name, aside: false, topic, lastPerKey: false } as const
    const sender = new OutputWriter({ ...output, partition: 'key' }, writer, (_, __, error) => {
      throw error
    })
    const timestampMs = this.#ports.clock.nowMs()
    for (const [offset, value] of values.entries()) {
      const origin = { topic: 'test', partition: 0 }
      const record: StreamRecord = {
        key: null,
        value,
        timestampMs,
        headers: undefined,
        origin,
        offset,
      }
      sender.write(record, 0)
    }
    await writer.commit([])
  }

  async #records(topic: Topic): Promise<TopicRecord[]> {
    const log = await this.#open()
    const { partitions } = await log.describeTopic(topic.name)
    const records: TopicRecord[] = []
    for (const { partition } of partitions) {
      await readToEnd(log, topic.name, partition, (cursor) => {
        const { key, value, offset, timestampMs, headers } = cursor
        records.push({
          partition,
          offset,
          key: key === null || topic.keyColumns.length === 0 ? null : topic.key.deserialize(key),
          value: value === null ? null : topic.value.deserialize(value),
          timestampMs,
          headers: Object.fromEntries(
            headers.map((header) => [
              header.key,
              header.value && Buffer.from(header.value).toString(),
            ]),
          ),
        })
      })
    }
    return records
  }

  #until<T>(promise: Promise<T>): Promise<T> {
    return this.#machine.until(promise)
  }
}

function named<T>(all: ReadonlyMap<string, T>, name: string | undefined, kind: string): T {
  const [only] = all.values()
  const found = name === undefined && all.size === 1 ? only : all.get(name ?? '')
  if (found !== undefined) return found
  throw new UsageError(
    'USAGE',
    `The pipeline has no ${kind} ${name === undefined ? 'to choose by itself' : `"${name}"`}; ` +
      `it has ${[...all.keys()].map((known) => `"${known}"`).join(', ') || 'none'}.`,
  )
}
