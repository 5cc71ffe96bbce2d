/**
 * A producer is open → closed. A transactional one sends only inside a transaction (see transaction.ts).
 * A fenced producer stays fenced.
 *
 * A record goes from `send`, past the line of those that wait (send-line.ts), through its topic
 * (known-topics.ts, topic-queues.ts) into the open batch of a partition, and with it into the log
 * (partition-queue.ts).
 */
import type { Encoded } from '../batch/batch-writer.ts'
import { ClosedError, invariant, RejectedError } from '../errors.ts'
import { type Clock, nodeClock } from '../io/index.ts'
import type { GroupPositions, Log, TopicDescription } from '../log.ts'
import type { Header } from '../record.ts'
import { string } from '../serdes/string.ts'
import { ByteBudget } from './byte-budget.ts'
import { type Acknowledgement, PlacedDelivery, WaitingDelivery } from './delivery.ts'
import { type Retry, retryUnavailable } from '../retry.ts'
import { Identity } from './identity.ts'
import { KnownTopics } from './known-topics.ts'
import type { PendingBatch } from './pending-batch.ts'
import {
  checkPositions,
  checkProducer,
  IN_FLIGHT_MAX,
  type ProducerOptions,
} from './producer-options.ts'
import { SendLine } from './send-line.ts'
import type { TopicAppender, TopicQueues } from './topic-queues.ts'
import { Transaction } from './transaction.ts'

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

/** Bytes, or text that becomes UTF-8: what a producer without serdes takes. */
export type Raw = Exclude<Encoded, null>

/**
 * Sends records to a {@link Log}: in order per partition, in batches, and each once, retries included.
 * All sends share one budget of bytes; beyond it they wait, so awaiting them bounds memory.
 */
export class Producer<K = Raw, V = Raw> {
  readonly #clock: Clock
  readonly #options: ProducerOptions<K, V>
  readonly #budget: ByteBudget
  readonly #topics: KnownTopics
  readonly #line: SendLine<ProducerRecord<K, V>> = new SendLine({
    wait: (record) => this.#wait(record),
    send: (record) => {
      const topic = this.#topics.find(record.topic)
      invariant(topic !== undefined, 'a send has waited for its topic in vain')
      return this.#sendNow(topic, record)
    },
    onUnseenFailure: (error) => (this.#unseenFailure ??= error),
  })
  readonly #transaction: Transaction
  #unseenFailure: unknown
  #isClosed = false

  /** @throws UsageError for an option that there isn't, or that is what it can't be. */
  constructor(log: Log, options: ProducerOptions<K, V> = {}) {
    checkProducer(log, options)
    const { compression, transactionalId } = options
    const isTransactional = transactionalId !== undefined
    const timeoutMs = options.deliveryTimeoutMs ?? 120_000
    const backoffMs = options.retryBackoffMs ?? 50
    const clock = options.clock ?? nodeClock
    const retry: Retry = (call) => retryUnavailable(clock, { timeoutMs, backoffMs }, call)
    const request = isTransactional ? { transactionalId } : {}
    const identity = new Identity(() => retry(() => log.initProducer(request)))
    const describe = async (name: string): Promise<TopicDescription> => {
      this.#expectOpen()
      return retry(() => log.describeTopic(name))
    }
    this.#options = options
    this.#clock = clock
    this.#budget = new ByteBudget(options.bufferBytes ?? 8 * MIB)
    this.#topics = new KnownTopics(describe, compression, {
      log,
      clock,
      budget: this.#budget,
      lingerMs: options.lingerMs ?? 0,
      batchBytes: options.batchBytes ?? MIB,
      maxInFlight: options.maxInFlight ?? IN_FLIGHT_MAX,
      deliveryTimeoutMs: timeoutMs,
      retryBackoffMs: backoffMs,
      isTransactional,
      identify: (stale) => identity.get(stale),
      onBatchOpened: (batch) => this.#topics.refreshIfOld(batch),
      onBatchFailed: (batch, error) => this.#onBatchFailed(batch, error),
    })
    const topics = this.#topics
    this.#transaction = new Transaction({ isTransactional, log, retry, identity, topics })
  }

  /** Whether sends wait (for room in the byte budget, or for their topic); then `await room()` first. */
  get isFull(): boolean {
    return !this.#line.isEmpty || this.#budget.isFull
  }

  /** Resolves when nobody waits and the byte budget has room. */
  async room(): Promise<void> {
    while (this.isFull) {
      await this.#line.emptied
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
    const topic = this.#topics.find(record.topic)
    const mustWait = topic === undefined || !topic.mayHave(record.partition)
    if (mustWait || this.isFull) return this.#line.queueUp(record)
    try {
      return this.#sendNow(topic, record)
    } catch (error) {
      return this.#refuse(error)
    }
  }

  /** The fast way into a topic, for who encodes records and chooses partitions itself. */
  async topic(name: string): Promise<TopicAppender> {
    return await this.#topics.open(name)
  }

  /**
   * Sends all that waits, and resolves when everything sent before is acknowledged.
   *
   * @throws the first failure among those records, or of earlier ones whose promise nobody awaited.
   */
  async flush(): Promise<void> {
    await this.#line.emptied
    const batches: PendingBatch[] = []
    for (const queue of this.#topics.queues()) {
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
    await this.#transaction.begin()
  }

  /**
   * Makes all records of the transaction visible, and stores the positions, at once or not at all.
   *
   * @throws the failure of a record in it: nothing of it is visible; abort the transaction.
   * @throws FencedError PRODUCER_FENCED: nothing of it will ever be visible; make a new producer.
   */
  async commitTransaction(positions: readonly GroupPositions[] = []): Promise<void> {
    checkPositions(positions)
    this.#expectTransaction('open', 'commit a transaction')
    await this.flush()
    this.#expectTransaction('open', 'commit a transaction')
    await this.#transaction.commit(positions)
  }

  /** Gives up all records of the transaction; they will never be visible to committed readers. */
  async abortTransaction(): Promise<void> {
    this.#expectTransaction('open', 'abort a transaction')
    await this.#transaction.discard()
    this.#unseenFailure = undefined
    await this.#transaction.abort()
  }

  /** Flushes, aborts an open transaction, and takes no more records. The log stays open. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    try {
      if (this.#transaction.isOpen) await this.abortTransaction()
      await this.flush()
    } finally {
      this.#isClosed = true
      this.#topics.stop(closed())
    }
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

  #wait(record: ProducerRecord<K, V>): Promise<void> | undefined {
    const topic = this.#topics.find(record.topic)
    const isKnown = topic !== undefined && topic.mayHave(record.partition)
    return isKnown && !this.#budget.isFull ? undefined : this.#prepare(record)
  }

  async #prepare({ topic: name, partition }: ProducerRecord<K, V>): Promise<void> {
    const topic = this.#topics.find(name) ?? (await this.#topics.open(name))
    if (!topic.mayHave(partition)) await this.#topics.refresh(topic)
    if (this.#budget.isFull) await this.#budget.room()
  }

  #onBatchFailed(batch: PendingBatch, error: unknown): void {
    if (this.#transaction.isEnding) return
    this.#transaction.fail(error)
    if (!batch.isObserved) this.#unseenFailure ??= error
  }

  #expectOpen(): void {
    if (this.#isClosed) throw closed()
    this.#transaction.expectSends()
  }

  #expectTransaction(expected: 'none' | 'open', action: string): void {
    if (this.#isClosed) throw closed()
    this.#transaction.expect(expected, action)
  }
}

function closed(): ClosedError {
  return new ClosedError('CLOSED', 'The producer is closed.')
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
