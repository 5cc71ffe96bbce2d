import type { Encoded } from '../batch/batch-writer.ts'
import { UsageError } from '../errors.ts'
import type { Compression, TopicDescription } from '../log.ts'
import type { Header } from '../record.ts'
import { PartitionQueue, type QueueLimits, type QueueSettings } from './partition-queue.ts'
import { partitionOfKey } from './partitioner.ts'
import type { PendingBatch } from './pending-batch.ts'

/** The fast way into one topic: encoded records straight into a partition's open batch. */
export interface TopicAppender {
  readonly topic: string
  readonly partitionCount: number
  /** Kafka's choice for this key; without a key one partition for a batch, then the next. */
  partitionOf(key: Encoded): number
  /**
   * Adds a record without a promise for it: await the producer's `flush` or `commitTransaction`, and
   * heed its `isFull`.
   *
   * @throws RejectedError RECORD_TOO_LARGE, RECORD_INVALID: only this record is refused.
   * @throws FencedError, FailedError, ClosedError: the producer is of no more use.
   */
  append(
    partition: number,
    key: Encoded,
    value: Encoded,
    timestampMs: number,
    headers?: readonly Header[],
  ): void
}

/** One topic's queues. */
export class TopicQueues implements TopicAppender {
  readonly topic: string
  readonly queues: PartitionQueue[] = []
  /** Monotonic. */
  describedMs = 0

  readonly #settings: QueueSettings
  readonly #compression: Compression | undefined
  #keylessPartition = 0
  #keylessOrdinal = 0

  constructor(
    description: TopicDescription,
    compression: Compression | undefined,
    settings: QueueSettings,
  ) {
    this.topic = description.name
    this.#settings = settings
    this.#compression = compression
    this.refresh(description)
  }

  get partitionCount(): number {
    return this.queues.length
  }

  /** Whether the topic has this partition, as far as is known; undefined is any. */
  mayHave(partition: number | undefined): boolean {
    return partition === undefined || partition < this.queues.length
  }

  /** Takes over what has changed in the topic: its settings, and partitions added. */
  refresh(description: TopicDescription): void {
    this.describedMs = this.#settings.clock.monotonicMs()
    const { config, partitions } = description
    const limits: QueueLimits = {
      compression: this.#compression ?? config.compression,
      maxMessageBytes: config.maxMessageBytes,
    }
    for (const queue of this.queues) queue.limits = limits
    for (let next = this.queues.length; next < partitions.length; next++) {
      this.queues.push(new PartitionQueue(this.topic, next, limits, this.#settings))
    }
  }

  partitionOf(key: Encoded): number {
    if (key !== null) return partitionOfKey(key, this.queues.length)
    if (this.#queue(this.#keylessPartition).openOrdinal !== this.#keylessOrdinal) {
      this.#keylessPartition = (this.#keylessPartition + 1) % this.queues.length
      this.#keylessOrdinal = this.#queue(this.#keylessPartition).openOrdinal
    }
    return this.#keylessPartition
  }

  append(
    partition: number,
    key: Encoded,
    value: Encoded,
    timestampMs: number,
    headers?: readonly Header[],
  ): PendingBatch {
    const queue = this.queues[partition]
    if (queue === undefined) throw this.#noSuchPartition(partition)
    return queue.append(key, value, timestampMs, headers)
  }

  #queue(partition: number): PartitionQueue {
    const queue = this.queues[partition]
    // Not by `invariant`: its text would be made for every record.
    if (queue === undefined) throw this.#noSuchPartition(partition)
    return queue
  }

  #noSuchPartition(partition: number): UsageError {
    return new UsageError(
      'USAGE',
      `Topic "${this.topic}" has no partition ${partition}: it has ${this.queues.length}, ` +
        `numbered from 0. Choose one of those, or add partitions.`,
      { facts: { topic: this.topic, partition } },
    )
  }
}
