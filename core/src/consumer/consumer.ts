/**
 * A consumer is idle (nothing read yet) → reading → closed. While reading with a group, it joins and
 * rejoins inside `next`, that is, never while the body has a batch in hand.
 */
import { ClosedError, FencedError, RejectedError, UsageError } from '../errors.ts'
import { type Clock, nodeClock } from '../io/index.ts'
import type { FindOffsetRequest, GroupPositions, Log, StoredPosition } from '../log.ts'
import type { Position, TopicPartition } from '../record.ts'
import { retryUnavailable } from '../retry.ts'
import { bytes } from '../serdes/bytes.ts'
import type { Serde } from '../serdes/serde.ts'
import { ConsumerBatch, type RecordSerdes } from './consumer-batch.ts'
import {
  checkConsumer,
  checkSeek,
  type ConsumerOptions,
  heartbeatMsOf,
  SESSION_TIMEOUT_MS,
} from './consumer-options.ts'
import { Fetcher } from './fetcher.ts'
import { Membership } from './membership.ts'
import { PartitionCursor } from './partition-cursor.ts'

const MIB = 1024 * 1024
const FETCH_WAIT_MS = 500
const COMMIT_RETRY = { timeoutMs: 30_000, backoffMs: 50 }

/**
 * Reads partitions in batches: `for await (const batch of consumer) { …; await consumer.commit(batch) }`.
 *
 * - A group without a position starts where `start` says; `error` stops with POSITION_MISSING.
 * - A commit covers delivered batches, never prefetched ones. Nothing is committed unless asked for.
 * - `break` or a throw ends the loop, not the consumer: the batch in hand counts as delivered, and
 *   another loop goes on behind it. To get it again, `seek` to its `baseOffset`, or start anew from the
 *   committed position. Close the consumer when done.
 * - Heartbeats go on while the body works. A rebalance waits for the batch in hand, at most
 *   `rebalanceTimeoutMs`; after that, or when the session has timed out, the partitions are others'.
 * - A batch of a partition that was taken away can't be committed: that throws FencedError.
 * - A position below the log's start stops with OFFSET_OUT_OF_RANGE naming the lost offsets; reading
 *   never jumps over them by itself.
 */
export class Consumer<K = Uint8Array, V = Uint8Array> implements AsyncIterable<
  ConsumerBatch<K, V>
> {
  readonly #log: Log
  readonly #clock: Clock
  readonly #options: ConsumerOptions<K, V>
  readonly #serdes: RecordSerdes<K, V>
  readonly #fetcher: Fetcher
  readonly #membership: Membership | undefined
  readonly #cursors = new Map<string, PartitionCursor>()
  /** Which stay of a partition a batch belongs to. */
  readonly #origins = new WeakMap<ConsumerBatch<K, V>, PartitionCursor>()
  #isAssigned = false
  #assigning: Promise<void> | undefined
  #deliveries = 0
  #wake: (() => void) | undefined
  #isClosed = false

  /** @throws UsageError for an option that there isn't, or that is what it can't be. */
  constructor(log: Log, options: ConsumerOptions<K, V>) {
    checkConsumer(log, options)
    this.#log = log
    this.#options = options
    this.#clock = options.clock ?? nodeClock
    this.#serdes = {
      key: options.key ?? asDefault<K>(),
      value: options.value ?? asDefault<V>(),
    }
    const settings = {
      isolation: options.isolation ?? 'read_committed',
      batchBytes: options.batchBytes ?? MIB,
      prefetchBytes: options.prefetchBytes ?? 16 * MIB,
      maxWaitMs: FETCH_WAIT_MS,
    }
    const wake = (): void => this.#wake?.()
    this.#fetcher = new Fetcher(log, this.#clock, settings, wake)
    this.#membership = this.#makeMembership(wake)
  }

  /** The partitions that are this consumer's now. */
  get assignment(): TopicPartition[] {
    return [...this.#cursors.values()].map(({ topic, partition }) => ({ topic, partition }))
  }

  [Symbol.asyncIterator](): AsyncIterator<ConsumerBatch<K, V>> {
    return {
      next: () => this.#next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
    }
  }

  /**
   * Stores that the group has read up to the end of `batch`, and with it all before in its partition;
   * without a batch, up to the end of all batches delivered so far, the one in hand included.
   *
   * @throws FencedError GENERATION_FENCED: the partition was taken away since; nothing was stored.
   */
  async commit(batch?: ConsumerBatch<K, V>): Promise<void> {
    const request = this.positions(batch)
    const { positions, member } = request
    if (positions.length === 0) return
    try {
      await retryUnavailable(this.#clock, COMMIT_RETRY, () => this.#log.commitPositions(request))
    } catch (error) {
      if (error instanceof FencedError && member === this.#membership?.member) {
        this.#membership?.expel()
      }
      throw error
    }
    for (const { topic, partition, position } of positions) {
      const cursor = this.#cursors.get(nameOf({ topic, partition }))
      if (cursor !== undefined) cursor.committedOffset = position.offset
    }
  }

  /**
   * What {@link Consumer.commit} would store, for a transaction to store together with its records:
   * `producer.commitTransaction([consumer.positions(batch)])`. After an abort `seek` back, or start anew.
   *
   * @throws FencedError GENERATION_FENCED: the partition was taken away since.
   */
  positions(batch?: ConsumerBatch<K, V>): GroupPositions {
    const { group } = this.#options
    if (group === undefined) {
      throw new UsageError('USAGE', 'Only a consumer with a group can commit: give it one.')
    }
    const positions = batch === undefined ? this.#uncommitted() : [this.#positionAfter(batch)]
    const member = this.#membership?.member
    return member === undefined ? { group, positions } : { group, positions, member }
  }

  /**
   * Goes on reading a partition elsewhere: at an offset, at an end, or at the first record at or after
   * a time. What was prefetched is dropped; nothing is committed.
   *
   * @throws UsageError when the partition is not this consumer's.
   */
  async seek(
    place: TopicPartition,
    to: number | 'earliest' | 'latest' | { readonly timestampMs: number },
  ): Promise<void> {
    checkSeek(to)
    await this.#assignIfNeeded()
    const cursor = this.#cursorAt(place)
    cursor.seek(
      typeof to === 'number' ? { offset: to, leaderEpoch: -1 } : await this.#find(place, to),
    )
    this.#fetcher.again(cursor)
  }

  /** Delivers nothing more of these partitions until `resume`; their positions stay. */
  pause(places: readonly TopicPartition[]): void {
    for (const place of places) this.#cursorAt(place).isPaused = true
  }

  resume(places: readonly TopicPartition[]): void {
    for (const place of places) this.#cursorAt(place).isPaused = false
    this.#fetcher.more()
    this.#wake?.()
  }

  /** Leaves the group and ends a loop that waits; commits nothing. The log stays open. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#fetcher.stop()
    this.#wake?.()
    await this.#membership?.leave()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #next(): Promise<IteratorResult<ConsumerBatch<K, V>>> {
    while (!this.#isClosed) {
      await this.#assignIfNeeded()
      const batch = this.#isClosed ? undefined : this.#takeBatch()
      if (batch !== undefined) return { done: false, value: batch }
      this.#throwFailure()
      await this.#somethingHappens()
    }
    return { done: true, value: undefined }
  }

  /** In turns, so that no partition starves. */
  #takeBatch(): ConsumerBatch<K, V> | undefined {
    const cursors = [...this.#cursors.values()]
    for (let index = 0; index < cursors.length; index++) {
      const cursor = cursors[(this.#deliveries + index) % cursors.length]
      if (cursor === undefined || cursor.isPaused) continue
      const next = cursor.deliver()
      if (next === undefined) continue
      this.#deliveries += index + 1
      this.#fetcher.more()
      const batch = new ConsumerBatch(cursor, next.baseOffset, next.fetched, this.#serdes)
      this.#origins.set(batch, cursor)
      return batch
    }
    return undefined
  }

  #throwFailure(): void {
    if (this.#fetcher.failure !== undefined) throw this.#fetcher.failure
    if (this.#membership?.failure !== undefined) throw this.#membership.failure
    for (const { failure, isReady } of this.#cursors.values()) {
      if (failure !== undefined && !isReady) throw failure
    }
  }

  async #somethingHappens(): Promise<void> {
    if (this.#isClosed || this.#membership?.mustJoin === true) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await promise
    this.#wake = undefined
  }

  async #assignIfNeeded(): Promise<void> {
    if (this.#isClosed) throw new ClosedError('CLOSED', 'The consumer is closed.')
    while (!this.#isAssigned || this.#membership?.mustJoin === true) {
      if (this.#isClosed) return
      this.#assigning ??= this.#assign().finally(() => (this.#assigning = undefined))
      await this.#assigning
    }
  }

  async #assign(): Promise<void> {
    this.#isAssigned = false
    const places =
      this.#membership === undefined
        ? await this.#allWanted()
        : await this.#membership.join(this.assignment)
    if (places === undefined || this.#isClosed) return
    const member = this.#membership?.member
    await this.#own(places)
    // Race: expelled while positions were looked up; by now others may have committed further ones.
    if (this.#membership?.member !== member) return this.#lose()
    this.#isAssigned = true
    this.#fetcher.follow([...this.#cursors.values()])
  }

  /** Everything is taken away: what was delivered can no longer be committed. */
  #lose(): void {
    this.#cursors.clear()
    this.#fetcher.follow([])
  }

  /** Keeps the cursors of what stays ours, drops the rest, and finds where to start in what is new. */
  async #own(places: readonly TopicPartition[]): Promise<void> {
    const names = new Set(places.map(nameOf))
    for (const name of this.#cursors.keys()) if (!names.has(name)) this.#cursors.delete(name)
    const added = places.filter((place) => !this.#cursors.has(nameOf(place)))
    if (added.length === 0) return
    const { group } = this.#options
    const stored = group === undefined ? [] : await this.#log.readPositions(group)
    const cursors = await Promise.all(added.map((place) => this.#makeCursor(place, stored)))
    for (const cursor of cursors) this.#cursors.set(nameOf(cursor), cursor)
  }

  async #makeCursor(
    place: TopicPartition,
    stored: readonly StoredPosition[],
  ): Promise<PartitionCursor> {
    const known = stored.find(
      ({ topic, partition }) => topic === place.topic && partition === place.partition,
    )
    // The position's own topic id goes into the fetch, which refuses it if the topic was made anew.
    if (known !== undefined) return new PartitionCursor(place, known.topicId, known.position)
    const { topicId } = await this.#log.describeTopic(place.topic)
    const start = this.#options.start ?? 'earliest'
    if (start !== 'error')
      return new PartitionCursor(place, topicId, await this.#find(place, start))
    const { group } = this.#options
    throw new RejectedError(
      'POSITION_MISSING',
      `Group "${group ?? ''}" has no position in ${place.topic}-${place.partition}, and start is ` +
        "'error'. Choose 'earliest' or 'latest', or commit a position first.",
      { facts: { group, ...place } },
    )
  }

  #find(place: TopicPartition, at: FindOffsetRequest['at']): Promise<Position> {
    const { isolation = 'read_committed' } = this.#options
    const { topic, partition } = place
    return this.#log.findOffset({ topic, partition, at, isolation })
  }

  async #allWanted(): Promise<readonly TopicPartition[]> {
    const { assignment, topics = [] } = this.#options
    if (assignment !== undefined) return assignment
    const descriptions = await Promise.all(topics.map((name) => this.#log.describeTopic(name)))
    return descriptions.flatMap(({ name, partitions }) =>
      partitions.map(({ partition }) => ({ topic: name, partition })),
    )
  }

  #makeMembership(wake: () => void): Membership | undefined {
    const { group, topics, assignment } = this.#options
    if (group === undefined || topics === undefined || assignment !== undefined) return undefined
    const settings = {
      group,
      topics,
      sessionTimeoutMs: this.#options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS,
      rebalanceTimeoutMs: this.#options.rebalanceTimeoutMs ?? 300_000,
      heartbeatMs: heartbeatMsOf(this.#options),
    }
    return new Membership(this.#log, this.#clock, settings, {
      onExpelled: () => this.#lose(),
      onChange: wake,
    })
  }

  #positionAfter(batch: ConsumerBatch<K, V>): StoredPosition {
    const { topic, partition, topicId, nextPosition: position } = batch
    const cursor = this.#cursors.get(nameOf({ topic, partition }))
    const isOurs = cursor !== undefined && cursor === this.#origins.get(batch)
    if (isOurs) return { topic, partition, topicId, position }
    throw new FencedError(
      'GENERATION_FENCED',
      `${topic}-${partition} was taken from this consumer since the batch at offset ` +
        `${batch.baseOffset} was read, so it cannot be committed: its new owner reads it again.`,
      { facts: { topic, partition, baseOffset: batch.baseOffset } },
    )
  }

  #uncommitted(): StoredPosition[] {
    return [...this.#cursors.values()]
      .filter(({ position, committedOffset }) => position.offset !== committedOffset)
      .map(({ topic, partition, topicId, position }) => ({ topic, partition, topicId, position }))
  }

  #cursorAt(place: TopicPartition): PartitionCursor {
    const cursor = this.#cursors.get(nameOf(place))
    if (cursor !== undefined) return cursor
    throw new UsageError(
      'USAGE',
      `${place.topic}-${place.partition} is not read by this consumer (now).`,
      { facts: { topic: place.topic, partition: place.partition } },
    )
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** Without a serde the types allow nothing but bytes. */
function asDefault<T>(): Serde<T> {
  return bytes as unknown as Serde<T>
}
