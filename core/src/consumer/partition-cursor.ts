import type { FetchedPartition } from '../log.ts'
import type { Position, TopicPartition } from '../record.ts'

/** Fetched and not delivered yet. */
export interface Prefetched {
  /** Where reading was asked to begin. */
  readonly baseOffset: number
  readonly fetched: FetchedPartition
}

/** Where a consumer is in one partition, for as long as the partition is its own without a break. */
export class PartitionCursor {
  readonly topic: string
  readonly partition: number
  /** UUID of the topic. */
  readonly topicId: string
  isPaused = false
  /** Why nothing more can be read here; a seek gets over it. */
  failure: Error | undefined
  /** Where fetching goes on. */
  fetchPosition: Position
  /** Where delivery goes on; everything before it has been handed out or was no record. */
  position: Position
  /** What was last committed, as far as this consumer did it. */
  committedOffset: number

  #prefetched: Prefetched[] = []
  #prefetchedBytes = 0

  constructor(place: TopicPartition, topicId: string, position: Position) {
    this.topic = place.topic
    this.partition = place.partition
    this.topicId = topicId
    this.fetchPosition = position
    this.position = position
    this.committedOffset = position.offset
  }

  get prefetchedBytes(): number {
    return this.#prefetchedBytes
  }

  /** The next to deliver, if any is there. */
  get isReady(): boolean {
    return this.#prefetched.length > 0
  }

  prefetch(fetched: FetchedPartition): void {
    this.#prefetched.push({ baseOffset: this.fetchPosition.offset, fetched })
    this.#prefetchedBytes += fetched.batches.length
    this.fetchPosition = nextPosition(fetched)
  }

  /** Takes the next to deliver; the consumer's position is behind it then. */
  deliver(): Prefetched | undefined {
    const next = this.#prefetched.shift()
    if (next === undefined) return undefined
    this.#prefetchedBytes -= next.fetched.batches.length
    this.position = nextPosition(next.fetched)
    return next
  }

  /** Goes on elsewhere; what was prefetched is dropped. */
  seek(position: Position): void {
    this.#prefetched = []
    this.#prefetchedBytes = 0
    this.failure = undefined
    this.fetchPosition = position
    this.position = position
  }
}

function nextPosition({ nextOffset, nextLeaderEpoch }: FetchedPartition): Position {
  return { offset: nextOffset, leaderEpoch: nextLeaderEpoch }
}
