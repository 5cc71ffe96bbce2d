/**
 * A producer is open → closed. A transactional one is, while open,
 * idle → in transaction → idle again by a commit or an abort. A batch that fails breaks the
 * transaction: only an abort gets out of that. A fenced producer stays fenced.
 */
import type { Encoded } from '../batch/batch-writer.ts'
import { ClosedError, FencedError, RejectedError, UsageError } from '../errors.ts'
import { type Clock, nodeClock } from '../io/index.ts'
import type { GroupPositions, Log, ProducerIdentity } from '../log.ts'
import type { Header } from '../record.ts'
import { string } from '../serdes/string.ts'
import { ByteBudget } from './byte-budget.ts'
import { type Acknowledgement, PlacedDelivery, WaitingDelivery } from './delivery.ts'
import { retryUnavailable } from '../retry.ts'
import type { PartitionQueue, QueueSettings } from './partition-queue.ts'
import type { PendingBatch } from './pending-batch.ts'
import { checkProducer, IN_FLIGHT_MAX, type ProducerOptions } from './producer-options.ts'
import { type TopicAppender, TopicQueues } from './topic-queues.ts'

/** A record to send. */
export interface ProducerRecord<K, V> {
  readonly topic: string
  /** Default: by the producer's `partitionBy`, else by the key, as Kafka does. */
  readonly partition?: number
  readonly key?: K | null
  /** `null` is a tombstone in a compacted topic. */
  readonly value: V | null
  /** Event time, milliseconds since 1970. Default: now. */
  readonly timestampMs?: number
  readonly headers?: readonly Header[]
}

const MIB = 1024 * 1024
/** How old the description of a topic may grow, so that partitions added are found in time. */
const DESCRIPTION_AGE_MS_MAX = 30_000
const LINE_SERVED_MAX = 1024

/** Bytes, or text that becomes UTF-8: what a producer without serdes takes. */
export type Raw = Exclude<Encoded, null>

/**
 * Sends records to a {@link Log}: in order per partition, in batches, and each once, retries included.
 * All sends share one budget of bytes; beyond it they wait, so awaiting them bounds memory.
 */
export class Producer<K = Raw, V = Raw> {
  readonly #log: Log
  readonly #clock: Clock
  readonly #options: ProducerOptions<K, V>
  readonly #budget: ByteBudget
  readonly #settings: QueueSettings
  readonly #topics = new Map<string, TopicQueues>()
  readonly #openings = new Map<string, Promise<TopicQueues>>()
  #latestTopic: TopicQueues | undefined
  /** Sends that wait for their topic or for room; while there are any, later ones queue up behind. */
  readonly #line: WaitingSend<K, V>[] = []
  #lineEmptied: Promise<void> = Promise.resolve()
  #identity: Promise<ProducerIdentity> | undefined
  #transaction: 'none' | 'open' | 'ending' = 'none'
  #transactionFailure: unknown
  #unseenFailure: unknown
  #isClosed = false

  /** @throws UsageError for an option that there isn't, or that is what it can't be. */
  constructor(log: Log, options: ProducerOptions<K, V> = {}) {
    checkProducer(log, options)
    this.#log = log
    this.#options = options
    this.#clock = options.clock ?? nodeClock
    this.#budget = new ByteBudget(options.bufferBytes ?? 8 * MIB)
    this.#settings = {
      log,
      clock: this.#clock,
      budget: this.#budget,
      lingerMs: options.lingerMs ?? 0,
      batchBytes: options.batchBytes ?? MIB,
      maxInFlight: options.maxInFlight ?? IN_FLIGHT_MAX,
      deliveryTimeoutMs: options.deliveryTimeoutMs ?? 120_000,
      retryBackoffMs: options.retryBackoffMs ?? 50,
      isTransactional: options.transactionalId !== undefined,
      identify: (stale) => this.#identify(stale),
      onBatchOpened: (batch) => this.#refreshIfOld(batch),
      onBatchFailed: (batch, error) => this.#onBatchFailed(batch, error),
    }
  }

  /** Whether sends wait (for room in the byte budget, or for their topic); then `await room()` first. */
  get isFull(): boolean {
    return this.#line.length > 0 || this.#budget.isFull
  }

  /** Resolves when nobody waits and the byte budget has room. */
  async room(): Promise<void> {
    while (this.isFull) {
      await this.#lineEmptied
      await this.#budget.room()
    }
  }

  /**
   * Sends one record; resolves when it has reached its topic's durability. The promise costs next to
   * nothing until it is awaited, so a million sends a second need no batching by hand; a failure that
   * nobody awaits is thrown by the next {@link Producer.flush} or {@link Producer.close}.
   *
   * @throws RejectedError RECORD_TOO_LARGE, RECORD_INVALID: this record is not in the log, and nothing
   *   else is disturbed.
   * @throws UnavailableError after `deliveryTimeoutMs`: whether it is in the log is unknown.
   * @throws FencedError PRODUCER_FENCED: a newer producer has the transactional id.
   */
  send(record: ProducerRecord<K, V>): Promise<Acknowledgement> {
    const topic = this.#topicOf(record)
    const mustWait = topic === undefined || !topic.mayHave(record.partition)
    if (mustWait || this.#line.length > 0 || this.#budget.isFull) return this.#queueUp(record)
    try {
      return this.#sendNow(topic, record)
    } catch (error) {
      return this.#refuse(error)
    }
  }

  /** The fast way into a topic, for who encodes records and chooses partitions itself. */
  async topic(name: string): Promise<TopicAppender> {
    return await this.#open(name)
  }

  /**
   * Sends all that waits, and resolves when everything sent before is acknowledged.
   *
   * @throws the first failure among those records, or of earlier ones whose promise nobody awaited.
   */
  async flush(): Promise<void> {
    await this.#lineEmptied
    const batches: PendingBatch[] = []
    for (const queue of this.#queues()) {
      queue.push()
      batches.push(...queue.outstanding())
    }
    const outcomes = await Promise.allSettled(batches.map((batch) => batch.settled()))
    const failure = outcomes.find((outcome) => outcome.status === 'rejected')
    const unseenFailure = this.#unseenFailure
    this.#unseenFailure = undefined
    if (unseenFailure !== undefined) throw unseenFailure
    if (failure !== undefined) throw failure.reason
  }

  /** Begins a transaction: what is sent from now on becomes visible with its commit, or never. */
  async beginTransaction(): Promise<void> {
    this.#expectTransaction('none', 'begin a transaction')
    await this.#identify()
    this.#transaction = 'open'
    this.#transactionFailure = undefined
  }

  /**
   * Makes all records of the transaction visible, and stores the positions, at once or not at all.
   *
   * @throws the failure of a record in it: nothing of it is visible; abort the transaction.
   * @throws FencedError PRODUCER_FENCED: nothing of it will ever be visible; make a new producer.
   */
  async commitTransaction(positions: readonly GroupPositions[] = []): Promise<void> {
    this.#expectTransaction('open', 'commit a transaction')
    await this.flush()
    this.#expectTransaction('open', 'commit a transaction')
    if (this.#transactionFailure !== undefined) throw this.#transactionFailure
    await this.#endTransaction('commit', positions)
  }

  /** Gives up all records of the transaction; they will never be visible to committed readers. */
  async abortTransaction(): Promise<void> {
    this.#expectTransaction('open', 'abort a transaction')
    this.#transaction = 'ending'
    const aborted = new RejectedError('TRANSACTION_STATE', 'Its transaction was aborted.')
    const underWay: PendingBatch[] = []
    for (const queue of this.#queues()) {
      queue.discard(aborted, false)
      underWay.push(...queue.outstanding())
    }
    await Promise.allSettled(underWay.map((batch) => batch.settled()))
    this.#unseenFailure = undefined
    await this.#endTransaction('abort', [])
  }

  /** Flushes, aborts an open transaction, and takes no more records. The log stays open. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    try {
      if (this.#transaction === 'open') await this.abortTransaction()
      await this.flush()
    } finally {
      this.#isClosed = true
      this.#stop(new ClosedError('CLOSED', 'The producer is closed.'))
    }
  }

  /** Most records go where the one before went. */
  #topicOf({ topic: name }: { readonly topic: string }): TopicQueues | undefined {
    if (this.#latestTopic?.topic !== name) this.#latestTopic = this.#topics.get(name)
    return this.#latestTopic
  }

  #queueUp(record: ProducerRecord<K, V>): WaitingDelivery {
    const delivery = new WaitingDelivery()
    this.#line.push({ record, delivery })
    if (this.#line.length === 1) this.#lineEmptied = this.#serveLine()
    return delivery
  }

  #sendNow(topic: TopicQueues, record: ProducerRecord<K, V>): PlacedDelivery {
    this.#expectOpen()
    const { key: keySerde, value: valueSerde, partitionBy } = this.#options
    const { key = null, value, headers } = record
    const encodedKey = key === null || keySerde === undefined ? raw(key) : keySerde.encode(key)
    const encoded =
      value === null || valueSerde === undefined ? raw(value) : valueSerde.encode(value)
    const partition =
      record.partition ??
      (partitionBy === undefined
        ? topic.partitionOf(encodedKey)
        : partitionBy(key, value, topic.partitionCount))
    const timestampMs = record.timestampMs ?? this.#clock.nowMs()
    const batch = topic.append(partition, encodedKey, encoded, timestampMs, headers)
    return new PlacedDelivery(batch, timestampMs)
  }

  /** Not by a rejected promise: one that nobody awaits would end the process. */
  #refuse(error: unknown): Promise<Acknowledgement> {
    // No flush is to come that could throw it.
    if (this.#isClosed) return Promise.reject(error)
    const delivery = new WaitingDelivery()
    delivery.fail(error)
    const look = (): void => {
      if (!delivery.isObserved) this.#unseenFailure ??= error
    }
    // Whoever awaits the send does so in the next microtask.
    queueMicrotask(() => queueMicrotask(look))
    return delivery
  }

  async #serveLine(): Promise<void> {
    let served = 0
    for (;;) {
      // Whoever is served stays in the line until then, so that newcomers know to queue up. Half of
      // the line at a time, or a long one would be moved once per 1,024 served.
      if (
        served === this.#line.length ||
        (served >= LINE_SERVED_MAX && served * 2 >= this.#line.length)
      ) {
        this.#line.splice(0, served)
        served = 0
      }
      const waiting = this.#line[served++]
      if (waiting === undefined) return
      const { record, delivery } = waiting
      try {
        const topic = this.#topics.get(record.topic) ?? (await this.#open(record.topic))
        if (!topic.mayHave(record.partition)) await this.#refresh(topic)
        if (this.#budget.isFull) await this.#budget.room()
        delivery.place(this.#sendNow(topic, record))
      } catch (error) {
        if (!delivery.isObserved) this.#unseenFailure ??= error
        delivery.fail(error)
      }
    }
  }

  #open(name: string): Promise<TopicQueues> {
    let opening = this.#openings.get(name)
    if (opening === undefined) {
      opening = this.#describe(name)
      this.#openings.set(name, opening)
      opening.catch(() => this.#openings.delete(name))
    }
    return opening
  }

  async #describe(name: string): Promise<TopicQueues> {
    this.#expectOpen()
    const description = await retryUnavailable(this.#clock, this.#retryLimits, () =>
      this.#log.describeTopic(name),
    )
    const { compression } = this.#options
    const topic = new TopicQueues(description, compression, this.#settings)
    this.#topics.set(name, topic)
    return topic
  }

  async #refresh(topic: TopicQueues): Promise<void> {
    topic.refresh(await this.#log.describeTopic(topic.topic))
  }

  #refreshIfOld(batch: PendingBatch): void {
    const { createdMs } = batch
    const topic = this.#topicOf(batch)
    if (topic === undefined || createdMs - topic.describedMs < DESCRIPTION_AGE_MS_MAX) return
    topic.describedMs = createdMs
    // Nobody waits for it: what is wrong with the topic, its appends will tell.
    this.#refresh(topic).catch(() => undefined)
  }

  #identify(stale?: ProducerIdentity): Promise<ProducerIdentity> {
    const current = this.#identity
    if (current === undefined) return this.#initProducer()
    if (stale === undefined) return current
    return current.then((identity) =>
      identity === stale && this.#identity === current ? this.#initProducer() : this.#identify(),
    )
  }

  #initProducer(): Promise<ProducerIdentity> {
    const { transactionalId } = this.#options
    const request = transactionalId === undefined ? {} : { transactionalId }
    const identity = retryUnavailable(this.#clock, this.#retryLimits, () =>
      this.#log.initProducer(request),
    )
    this.#identity = identity
    identity.catch(() => {
      if (this.#identity === identity) this.#identity = undefined
    })
    return identity
  }

  async #endTransaction(
    outcome: 'commit' | 'abort',
    positions: readonly GroupPositions[],
  ): Promise<void> {
    this.#transaction = 'ending'
    const identity = await this.#identify()
    try {
      const next = await retryUnavailable(this.#clock, this.#retryLimits, () =>
        this.#log.endTransaction({ ...identity, outcome, positions }),
      )
      await this.#adopt(next, next.producerEpoch === identity.producerEpoch)
      this.#transaction = 'none'
    } catch (error) {
      this.#transaction = 'open'
      this.#transactionFailure = error
      if (error instanceof FencedError) this.#stop(error)
      throw error
    }
  }

  /** After a lost batch the log may expect other sequences than ours: only a new epoch is safe. */
  async #adopt(next: ProducerIdentity, isSameEpoch: boolean): Promise<void> {
    const isSafe = !isSameEpoch || this.#transactionFailure === undefined
    this.#identity = Promise.resolve(next)
    const identity = isSafe ? next : await this.#initProducer()
    for (const queue of this.#queues()) queue.adopt(identity)
  }

  /** Everything from now on fails with `error`. */
  #stop(error: unknown): void {
    for (const queue of this.#queues()) queue.discard(error, true)
  }

  *#queues(): Generator<PartitionQueue> {
    for (const topic of this.#topics.values()) yield* topic.queues
  }

  #onBatchFailed(batch: PendingBatch, error: unknown): void {
    if (this.#transaction === 'ending') return
    if (this.#transaction === 'open') this.#transactionFailure ??= error
    if (!batch.isObserved) this.#unseenFailure ??= error
  }

  #expectOpen(): void {
    if (this.#isClosed) throw new ClosedError('CLOSED', 'The producer is closed.')
    if (this.#options.transactionalId === undefined || this.#transaction === 'open') return
    throw new UsageError(
      'TRANSACTION_STATE',
      'A transactional producer sends only inside a transaction: call beginTransaction() first.',
    )
  }

  #expectTransaction(expected: 'none' | 'open', action: string): void {
    if (this.#isClosed) throw new ClosedError('CLOSED', 'The producer is closed.')
    const { transactionalId } = this.#options
    if (transactionalId !== undefined && this.#transaction === expected) return
    const reason =
      transactionalId === undefined
        ? 'the producer has no transactionalId'
        : `a transaction is ${this.#transaction === 'none' ? 'not open' : this.#transaction}`
    throw new UsageError('TRANSACTION_STATE', `Cannot ${action}: ${reason}.`)
  }

  get #retryLimits(): { timeoutMs: number; backoffMs: number } {
    const { deliveryTimeoutMs: timeoutMs, retryBackoffMs: backoffMs } = this.#settings
    return { timeoutMs, backoffMs }
  }
}

interface WaitingSend<K, V> {
  readonly record: ProducerRecord<K, V>
  readonly delivery: WaitingDelivery
}

/** What is written as it is: the types allow nothing else without a serde, JavaScript does. */
function raw(content: unknown): Encoded {
  if (content === null || content instanceof Uint8Array) return content
  if (typeof content === 'string') return string.encode(content)
  throw new RejectedError(
    'RECORD_INVALID',
    `Without a serde a producer takes bytes, text or null, not ${typeof content}: give it one, such ` +
      'as json().',
  )
}
