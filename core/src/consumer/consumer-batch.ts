import { BatchReader } from '../batch/batch-reader.ts'
import { batchSizeBytes, readHeader } from '../batch/header.ts'
import {
  ClosedError,
  CorruptDataError,
  FailedError,
  MillraceError,
  RejectedError,
  UnavailableError,
  UsageError,
} from '../errors.ts'
import type { FetchedPartition } from '../log.ts'
import type { Header, Position } from '../record.ts'
import type { Serde } from '../serdes/serde.ts'
import type { PartitionCursor } from './partition-cursor.ts'

/** A record as a consumer sees it. */
export interface ConsumerRecord<K, V> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: K | null
  /** `null` is a tombstone in a compacted topic. */
  readonly value: V | null
  readonly headers: readonly Header[]
}

/** How a batch's keys and values are read. */
export interface RecordSerdes<K, V> {
  readonly key: Serde<K>
  readonly value: Serde<V>
}

/** Some consecutive records of one partition; at least one. */
export class ConsumerBatch<K, V> {
  readonly topic: string
  readonly partition: number
  /** UUID of the topic. */
  readonly topicId: string
  /** Where it starts: records before this offset are not shown. */
  readonly baseOffset: number
  /** Where reading goes on after it; what committing this batch stores. */
  readonly nextPosition: Position
  /** First offset not yet visible to `read_uncommitted` readers, when the batch was read. */
  readonly highWatermark: number
  /** Whole record batches in Kafka's format, as they lie in the log. */
  readonly bytes: Uint8Array

  readonly #serdes: RecordSerdes<K, V>

  constructor(
    cursor: PartitionCursor,
    baseOffset: number,
    fetched: FetchedPartition,
    serdes: RecordSerdes<K, V>,
  ) {
    this.topic = cursor.topic
    this.partition = cursor.partition
    this.topicId = cursor.topicId
    this.baseOffset = baseOffset
    this.nextPosition = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
    this.highWatermark = fetched.highWatermark
    this.bytes = fetched.batches
    this.#serdes = serdes
  }

  /** A cursor over the records that makes no object unless asked: for millions a second. */
  cursor(): BatchReader {
    return new BatchReader(this.bytes, { fromOffset: this.baseOffset })
  }

  /**
   * The records, decoded one by one.
   *
   * @throws RejectedError RECORD_INVALID naming the offset of a record that the serdes cannot read; go
   *   on behind it with {@link ConsumerBatch.cursor}.
   */
  *records(): Generator<ConsumerRecord<K, V>> {
    const reader = this.cursor()
    while (reader.next()) yield this.#decode(reader)
  }

  #decode(reader: BatchReader): ConsumerRecord<K, V> {
    const { topic, partition } = this
    const { offset, timestampMs, bytes, keyStart, keyLength, valueStart, valueLength } = reader
    const { key, value } = this.#serdes
    try {
      return {
        topic,
        partition,
        offset,
        timestampMs,
        key: keyLength < 0 ? null : key.decode(bytes, keyStart, keyStart + keyLength),
        value: valueLength < 0 ? null : value.decode(bytes, valueStart, valueStart + valueLength),
        headers: reader.headers,
      }
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error
      throw new RejectedError(
        error.code,
        `Record ${offset} of ${topic}-${partition}: ${error.message}`,
        { cause: error, facts: { ...error.facts, topic, partition, offset } },
      )
    }
  }
}

/** Whether there is a record at or after `fromOffset`, told from the headers alone. */
export function hasRecords(batches: Uint8Array, fromOffset: number): boolean {
  for (let position = 0; position < batches.length; position += batchSizeBytes(batches, position)) {
    const { baseOffset, lastOffsetDelta, recordCount, isControl } = readHeader(batches, position)
    if (!isControl && recordCount > 0 && baseOffset + lastOffsetDelta >= fromOffset) return true
  }
  return false
}

/** The error for what a fetch said of a partition; `offset` is where reading should have gone on. */
export function partitionError(fetched: FetchedPartition, offset: number): MillraceError {
  const { topic, partition, startOffset, error } = fetched
  const code = error?.code ?? 'UNAVAILABLE'
  const facts = { ...error?.facts, topic, partition, offset, startOffset }
  if (code === 'OFFSET_OUT_OF_RANGE' && offset < startOffset) {
    return new RejectedError(
      code,
      `Offsets ${offset} to ${startOffset - 1} of ${topic}-${partition} are lost to this consumer: the ` +
        `log now starts at ${startOffset}. Seek there to go on without them.`,
      { facts: { ...facts, lostCount: startOffset - offset } },
    )
  }
  const ErrorClass = ERROR_CLASSES[code] ?? RejectedError
  return new ErrorClass(code, error?.message ?? 'The partition cannot be read.', { facts })
}

/** Codes whose errors are not RejectedError: errors come through a fetch as plain data. */
const ERROR_CLASSES: Readonly<Record<string, typeof MillraceError>> = {
  TOPIC_NOT_FOUND: UsageError,
  CORRUPT_DATA: CorruptDataError,
  FORMAT_TOO_NEW: CorruptDataError,
  LOG_FAILED: FailedError,
  UNAVAILABLE: UnavailableError,
  CLOSED: ClosedError,
}
