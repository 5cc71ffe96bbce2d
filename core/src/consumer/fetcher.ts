import { UnavailableError } from '../errors.ts'
import { type Clock, sleep } from '../io/index.ts'
import type { FetchRequest, FetchResult, Log } from '../log.ts'
import { hasRecords, partitionError } from './consumer-batch.ts'
import type { PartitionCursor } from './partition-cursor.ts'

/** How much to read at once, and how far ahead. */
export interface FetchSettings {
  readonly isolation: FetchRequest['isolation']
  readonly batchBytes: number
  readonly prefetchBytes: number
  readonly maxWaitMs: number
}

const RETRY_BACKOFF_MS = 100

/**
 * Reads ahead of the consumer until the prefetched bytes reach their limit. Each partition is part of
 * one fetch at a time, and those that can go on do not wait for one that has nothing to give.
 */
export class Fetcher {
  readonly #log: Log
  readonly #clock: Clock
  readonly #settings: FetchSettings
  readonly #onProgress: () => void
  readonly #pending = new Map<PartitionCursor, FetchRequest>()
  #cursors: readonly PartitionCursor[] = []
  #turn = 0
  #isStopped = false
  /** Why reading has ended for good. */
  failure: unknown

  constructor(log: Log, clock: Clock, settings: FetchSettings, onProgress: () => void) {
    this.#log = log
    this.#clock = clock
    this.#settings = settings
    this.#onProgress = onProgress
  }

  /** Reads these from now on, and no others. */
  follow(cursors: readonly PartitionCursor[]): void {
    this.#cursors = cursors
    for (const cursor of this.#pending.keys()) {
      if (!cursors.includes(cursor)) this.#pending.delete(cursor)
    }
    this.more()
  }

  /** Starts at once where a cursor is now; what is still under way for it will not count. */
  again(cursor: PartitionCursor): void {
    this.#pending.delete(cursor)
    this.more()
  }

  /** There may be room again, or somebody who wants to go on. */
  more(): void {
    if (this.#isStopped || this.failure !== undefined) return
    const cursors = this.#wanting()
    if (cursors.length === 0) return
    const request = this.#requestFor(cursors)
    for (const cursor of cursors) this.#pending.set(cursor, request)
    void this.#fetch(request, cursors)
  }

  stop(): void {
    this.#isStopped = true
  }

  /** Who can take more and is not waiting for an answer; each comes first in its turn. */
  #wanting(): PartitionCursor[] {
    const { batchBytes, prefetchBytes } = this.#settings
    let usedBytes = 0
    for (const cursor of this.#cursors) usedBytes += cursor.prefetchedBytes
    if (usedBytes >= prefetchBytes) return []
    const wanting = this.#cursors.filter(
      (cursor) =>
        !cursor.isPaused &&
        cursor.failure === undefined &&
        cursor.prefetchedBytes < batchBytes &&
        !this.#pending.has(cursor),
    )
    // The answer is filled from the first partition on.
    const first = wanting.length === 0 ? 0 : this.#turn++ % wanting.length
    return [...wanting.slice(first), ...wanting.slice(0, first)]
  }

  #requestFor(cursors: readonly PartitionCursor[]): FetchRequest {
    const { isolation, batchBytes, prefetchBytes, maxWaitMs } = this.#settings
    return {
      isolation,
      maxWaitMs,
      maxBytes: prefetchBytes,
      partitions: cursors.map(({ topic, partition, topicId, fetchPosition }) => ({
        topic,
        partition,
        topicId,
        position: fetchPosition,
        maxBytes: batchBytes,
      })),
    }
  }

  async #fetch(request: FetchRequest, cursors: readonly PartitionCursor[]): Promise<void> {
    try {
      this.#accept(request, cursors, await this.#log.fetch(request))
    } catch (error) {
      if (error instanceof UnavailableError) await sleep(this.#clock, RETRY_BACKOFF_MS)
      else this.#fail(error)
    }
    for (const cursor of cursors) {
      if (this.#pending.get(cursor) === request) this.#pending.delete(cursor)
    }
    this.more()
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return
    this.failure = error
    this.#onProgress()
  }

  #accept(
    request: FetchRequest,
    cursors: readonly PartitionCursor[],
    { partitions }: FetchResult,
  ): void {
    if (this.#isStopped) return
    let hasNews = false
    for (const [index, fetched] of partitions.entries()) {
      const cursor = cursors[index]
      if (cursor === undefined || this.#pending.get(cursor) !== request) continue
      const { offset } = cursor.fetchPosition
      if (fetched.error !== undefined) cursor.failure = partitionError(fetched, offset)
      else if (fetched.nextOffset > offset) this.#advance(cursor, fetched, offset)
      else continue
      hasNews = true
    }
    if (hasNews) this.#onProgress()
  }

  #advance(
    cursor: PartitionCursor,
    fetched: FetchResult['partitions'][number],
    offset: number,
  ): void {
    if (hasRecords(fetched.batches, offset)) {
      cursor.prefetch(fetched)
      return
    }
    // Markers and gaps alone: nothing to hand out, but a commit may pass them.
    const next = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
    cursor.fetchPosition = next
    if (!cursor.isReady) cursor.position = next
  }
}
