import {
  type AppendResult,
  type Compression,
  ClosedError,
  FailedError,
  FencedError,
  type Log,
  MillraceError,
  type StoredPosition,
  type TopicConfig,
  UnavailableError,
} from '@millrace/core'
import { SeededRandom, type SimulatedMachine, type SimulatedPorts } from '@millrace/core/testing'
import { BatchWriter } from '../../core/src/batch/index.ts'
import type { Model } from './model.ts'
import type { ModelPartition, ModelTopic, ModelTransaction, SentBatch } from './model-topic.ts'
import { recordValue } from './records.ts'
import type { Tally } from './tally.ts'

/** What an idempotent producer stamps its batches with. */
export interface Sequence {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** How an operation on the log went, as far as a caller can know. */
export type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'refused'; readonly error: MillraceError }
  /** The log failed or was closed meanwhile: it may or may not have happened. */
  | { readonly kind: 'unknown' }

interface Session {
  readonly startMs: number
  setForwardMs: number
  isOpened: boolean
  hasLostPower: boolean
}

/** Each batch may be of another one, whatever its topic says. */
const compressions: readonly Compression[] = [
  'none',
  'none',
  'none',
  'gzip',
  'snappy',
  'lz4',
  'zstd',
]

/** Everything that one life's actors share. */
export class World {
  readonly machine: SimulatedMachine
  readonly random: SeededRandom
  readonly model: Model
  readonly tally: Tally
  /** What is under way, for naming the moment of a crash. */
  readonly underWay = new Map<string, number>()
  ports: SimulatedPorts
  /** The actors are at work: what happens counts as an operation of this life. */
  isUsed = false
  /** Operations that the actors may still start in this session. */
  budget = 0
  /** How often the log said that data is damaged; undefined: it must not say so. */
  corruptAnswers: number | undefined
  readonly #writer = new BatchWriter()
  #positionCount = 0
  #elapsedBeforeMs = 0
  /** What each process lived through, for how old the log may take its records to be. */
  readonly #sessions: Session[] = []

  #log: Log | undefined

  constructor(seed: number, machine: SimulatedMachine, model: Model, tally: Tally) {
    this.machine = machine
    this.random = new SeededRandom(seed ^ 0x2545f491)
    this.model = model
    this.tally = tally
    this.ports = machine.boot()
  }

  /** The log under test, opened by the process that runs now. */
  get log(): Log {
    if (this.#log === undefined) throw new Error('no log has been opened yet')
    return this.#log
  }

  set log(log: Log) {
    this.#log = log
    const session = this.#sessions.at(-1)
    if (session !== undefined) session.isOpened = true
  }

  /** Runs one operation and sorts its errors; a bug of the log is thrown on. */
  async attempt<T>(name: string, operation: () => Promise<T>): Promise<Outcome<T>> {
    if (this.isUsed) this.tally.count('operation')
    this.budget -= 1
    this.underWay.set(name, (this.underWay.get(name) ?? 0) + 1)
    try {
      return { kind: 'done', value: await operation() }
    } catch (error) {
      return this.#sort(error)
    } finally {
      this.underWay.set(name, (this.underWay.get(name) ?? 0) - 1)
    }
  }

  isUnderWay(name: string): boolean {
    return (this.underWay.get(name) ?? 0) > 0
  }

  /** Starts the next process of this life. */
  boot(): void {
    this.#elapsedBeforeMs = this.elapsedMs
    this.ports = this.machine.boot()
    this.#sessions.push({
      startMs: this.elapsedMs,
      setForwardMs: 0,
      isOpened: false,
      hasLostPower: false,
    })
    this.underWay.clear()
    this.isUsed = false
  }

  /** Time that has truly passed in this life, whatever the wall clock was set to. */
  get elapsedMs(): number {
    return this.#elapsedBeforeMs + this.ports.clock.monotonicMs()
  }

  /** A partition that exists as far as the model knows; undefined when there is none. */
  somePartition(): ModelPartition | undefined {
    const topics = [...this.model.topics.values()].filter(({ state }) => state === 'there')
    if (topics.length === 0) return undefined
    return this.random.pick(this.random.pick(topics).partitions)
  }

  /** A position past the last record known of some partition, as a consumer would store it. */
  somePosition(): StoredPosition | undefined {
    const partition = this.somePartition()
    if (partition === undefined || partition.idAt.length === 0) return undefined
    // Where records may vanish no position can be stored.
    if (partition.topic.config.durability === 'memory') return undefined
    const offset = partition.idAt.length
    this.#positionCount += 1
    return {
      topic: partition.topic.name,
      partition: partition.partition,
      topicId: partition.topic.id,
      position: { offset, leaderEpoch: partition.epochAt[offset - 1] ?? -1 },
      metadata: `p${this.#positionCount}`,
    }
  }

  /** Makes a batch of new records; nothing is sent yet, but the model knows of it. */
  newBatch(partition: ModelPartition, count: number, transaction?: ModelTransaction): SentBatch {
    const batch: SentBatch = {
      partition,
      firstId: this.model.nextId,
      count,
      // In 2001, and not in order: retention must not care.
      timestampMs: 1_000_000_000_000 + this.random.integer(1_000_000),
      compression: this.random.pick(compressions),
      sentAtElapsedMs: this.elapsedMs,
      sentInSession: this.#sessions.length - 1,
      transaction,
      state: 'sent',
      baseOffset: -1,
      leaderEpoch: -1,
      sizeBytes: 0,
    }
    this.model.send(batch)
    return batch
  }

  /** Appends a batch, again if it was appended before, and tells the model how it went. */
  async append(batch: SentBatch, sequence?: Sequence): Promise<Outcome<AppendResult>> {
    const bytes = this.#encode(batch, sequence)
    const { partition } = batch
    this.tally.count('append')
    if (partition.topic.name === 'fleeting') this.tally.count('append: memory')
    if (batch.compression !== 'none') this.tally.count(`append: ${batch.compression}`)
    const outcome = await this.attempt('append', () =>
      this.log.append({
        topic: partition.topic.name,
        partition: partition.partition,
        batch: bytes,
      }),
    )
    if (outcome.kind === 'done') {
      const { baseOffset, leaderEpoch } = outcome.value
      if (batch.transaction === undefined) partition.place(batch, baseOffset, leaderEpoch)
      else Object.assign(batch, { baseOffset, leaderEpoch })
      if (outcome.value.duplicate) this.tally.count('append answered as duplicate')
    } else if (outcome.kind === 'refused') {
      if (outcome.error.code === 'DISK_FULL') this.tally.count('append refused, disk full')
      if (batch.state === 'sent') batch.state = 'refused'
    }
    return outcome
  }

  /** Lets wall-clock and monotonic time pass. */
  pass(milliseconds: number): void {
    this.ports.clock.advance(milliseconds)
  }

  /** Sets the wall clock forward or back. */
  setClock(milliseconds: number): void {
    this.ports.clock.jump(milliseconds)
    const session = this.#sessions.at(-1)
    if (session !== undefined) session.setForwardMs += Math.max(0, milliseconds)
  }

  /** The machine, not only the process, has gone down. */
  lostPower(): void {
    const session = this.#sessions.at(-1)
    if (session !== undefined) session.hasLostPower = true
  }

  /**
   * How old the log may take a batch to be. It counts time that has passed; only when the machine itself
   * goes down, its wall clock is asked how long, and what the process did last may be dated earlier.
   */
  #ageMsMax(batch: SentBatch): number {
    let ageMs = this.elapsedMs - batch.sentAtElapsedMs
    const sessions = this.#sessions
    const sender = batch.sentInSession
    // The moment that the next opening goes by is at least as late as the last opening that ended well.
    let opened = sender
    for (let index = sender; index < sessions.length; index += 1) {
      if (sessions[index]?.isOpened === true) opened = index
      if (sessions[index]?.hasLostPower !== true) continue
      for (const { setForwardMs } of sessions.slice(opened, index + 1)) ageMs += setForwardMs
      const senderStartMs = sessions[sender]?.startMs ?? 0
      if (opened === sender) ageMs += batch.sentAtElapsedMs - senderStartMs
    }
    return ageMs
  }

  /** Whether a topic's retention may have taken this batch by now. */
  mayExpire(batch: SentBatch): boolean {
    const { retentionMs, retentionBytes, segmentBytes } = batch.partition.topic
      .config as TopicConfig
    this.tally.count('records expired', batch.count)
    if (retentionMs > 0 && this.#ageMsMax(batch) >= retentionMs) return true
    if (!(retentionBytes > 0)) return false
    let sizeBytes = segmentBytes
    for (const other of batch.partition.sent) {
      if (other.baseOffset >= batch.baseOffset) sizeBytes += other.sizeBytes
    }
    return sizeBytes > retentionBytes
  }

  #encode(batch: SentBatch, sequence: Sequence | undefined): Uint8Array {
    for (let index = 0; index < batch.count; index += 1) {
      this.#writer.append(null, recordValue(batch.firstId + index), batch.timestampMs)
    }
    const bytes = this.#writer.finish({
      ...sequence,
      compression: batch.compression,
      isTransactional: batch.transaction !== undefined,
    })
    batch.sizeBytes = bytes.length
    return bytes
  }

  #sort<T>(error: unknown): Outcome<T> {
    if (!(error instanceof MillraceError)) throw error
    // Only a topic that is being deleted is closed while its users are at work.
    if (error instanceof ClosedError) return { kind: 'unknown' }
    if (error instanceof FailedError) {
      if (this.budget > 0) this.tally.count('log failed')
      this.budget = 0
      return { kind: 'unknown' }
    }
    const isExpected =
      error instanceof UnavailableError ||
      error instanceof FencedError ||
      error.code !== 'CORRUPT_DATA'
    if (!isExpected) throw error
    return { kind: 'refused', error }
  }
}

/** A topic that must be there, or undefined. */
export function topicThere(model: Model, name: string): ModelTopic | undefined {
  const topic = model.topics.get(name)
  return topic?.state === 'there' ? topic : undefined
}
