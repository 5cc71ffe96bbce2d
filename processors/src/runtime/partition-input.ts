import { BatchReader, type Log, MillraceError, type Position, UsageError } from '@millrace/core'
import { copiesBytes, invariant, recycle } from '@millrace/core/internal'
import type { NamedKey, StreamRecord } from '../operators/record.ts'
import type { TopicInput } from '../plan.ts'
import type { Topic } from '../topic.ts'
import { copyOfRecord, type OriginalRecord } from './dead-letter.ts'
import type { Failure } from './failures.ts'
import { KeyReader } from './key-reader.ts'

// Small fetches: memory is this, times the partitions of every stage, times two.
const FETCH_BYTES = 1024 * 1024
const FETCH_WAIT_MS = 1000

/** Where an input begins. */
export interface InputStart {
  readonly topicId: string
  readonly partition: number
  readonly position: Position
  /** The partition's end when the run started. */
  readonly lastStableOffset: number
}

/**
 * One partition as input of a task: fetched piece by piece and decoded record by record. A record is
 * stepped on, may be looked at, and counts as consumed when it is taken.
 */
export class PartitionInput {
  readonly id: string
  readonly topic: string
  readonly topicId: string
  readonly partition: number

  readonly #log: Log
  readonly #values: Topic['value']
  readonly #timeOf: Topic['timeOf']
  readonly #keys: KeyReader
  readonly #origin: { readonly topic: string; readonly partition: number }
  /** What was decoded holds no view of a piece. */
  readonly #isCopying: boolean
  #cursor: BatchReader | undefined
  #piece: Uint8Array | undefined
  /** Somebody may hold headers of the piece. */
  #isViewed = false
  #offset: number
  #leaderEpoch: number
  /** After the piece in the cursor. */
  #next: Position
  #lastStableOffset: number
  #pending: Promise<void> | undefined

  constructor(log: Log, input: TopicInput, at: InputStart) {
    this.#log = log
    this.id = input.id
    this.topic = input.topic.name
    this.topicId = at.topicId
    this.partition = at.partition
    this.#values = input.topic.value
    this.#timeOf = input.topic.timeOf
    this.#keys = new KeyReader(input.topic)
    this.#isCopying = copiesBytes(input.topic.value) && copiesBytes(input.topic.key)
    this.#origin = { topic: this.topic, partition: this.partition }
    this.#lastStableOffset = at.lastStableOffset
    this.#next = at.position
    this.#offset = at.position.offset
    this.#leaderEpoch = at.position.leaderEpoch
  }

  /** After the last record taken. */
  get position(): Position {
    return { offset: this.#offset, leaderEpoch: this.#leaderEpoch }
  }

  /** Records that are there and not yet taken, counted in offsets. */
  get lag(): number {
    return Math.max(0, this.#lastStableOffset - this.#offset)
  }

  /** A piece is at hand. */
  get isReady(): boolean {
    return this.#cursor !== undefined
  }

  /** The last fetch left something behind, so that another one answers at once. */
  get hasMore(): boolean {
    return this.#next.offset < this.#lastStableOffset
  }

  /** Of the record just stepped on. */
  get offset(): number {
    return this.#stepped().offset
  }

  /** Size of the record just stepped on: key and value. */
  get recordBytes(): number {
    const cursor = this.#cursor
    return cursor === undefined
      ? 0
      : Math.max(0, cursor.keyLength) + Math.max(0, cursor.valueLength)
  }

  /** Fetches the next piece unless one is at hand or on its way; resolves when one has arrived. */
  fetch(): Promise<void> {
    if (this.#cursor !== undefined) return Promise.resolve()
    if (this.#pending === undefined) {
      this.#pending = this.#fetch().finally(() => (this.#pending = undefined))
      // Whoever awaits it hears of a failure; it may also happen while nobody does.
      this.#pending.catch(() => {})
    }
    return this.#pending
  }

  /** Steps to the next record of the piece; false after its last, when the whole piece counts as taken. */
  step(): boolean {
    if (this.#cursor === undefined) return false
    if (this.#cursor.next()) return true
    this.#cursor = undefined
    if (this.#piece !== undefined && this.#isCopying && !this.#isViewed) recycle(this.#piece)
    this.#piece = undefined
    this.#offset = this.#next.offset
    this.#leaderEpoch = this.#next.leaderEpoch
    return false
  }

  /** Takes the record just stepped on. */
  take(): void {
    if (this.#cursor === undefined) return
    this.#offset = this.#cursor.offset + 1
    this.#leaderEpoch = this.#cursor.leaderEpoch
  }

  /** Decodes the record just stepped on. @throws what its codecs throw. */
  record(): StreamRecord {
    const cursor = this.#stepped()
    const value = this.value()
    const timeOf = this.#timeOf
    if (cursor.headerCount > 0) this.#isViewed = true
    return {
      key: this.key(),
      value,
      timestampMs: timeOf === undefined || value === null ? cursor.timestampMs : timeOf(value),
      headers: cursor.headerCount > 0 ? cursor.headers : undefined,
      origin: this.#origin,
      offset: cursor.offset,
    }
  }

  /** Decodes the value of the record just stepped on. @throws what its serde throws. */
  value(): unknown {
    const { bytes, valueStart, valueLength } = this.#stepped()
    return valueLength < 0 ? null : this.#values.decode(bytes, valueStart, valueStart + valueLength)
  }

  /** Decodes the key of the record just stepped on. @throws what its serde throws. */
  key(): NamedKey | null {
    return this.#keys.read(this.#stepped())
  }

  /** The record just stepped on, as one whose bytes cannot be read. */
  poison(error: unknown): Failure {
    const cursor = this.#cursor
    return {
      at: `${this.topic} (${this.#values.name})`,
      what: 'cannot be read',
      error,
      origin: this.#origin,
      offset: cursor?.offset ?? this.#offset,
      timestampMs: cursor?.timestampMs ?? 0,
      original: () => (cursor === this.#cursor ? cursor && copyOfRecord(cursor) : undefined),
    }
  }

  /** The record just stepped on, if it is the one at this offset, as it was read. */
  original(offset: number): OriginalRecord | undefined {
    const cursor = this.#cursor
    return cursor?.offset === offset ? copyOfRecord(cursor) : undefined
  }

  #stepped(): BatchReader {
    invariant(this.#cursor !== undefined, 'a record was read without a step to it')
    return this.#cursor
  }

  async #fetch(): Promise<void> {
    const { partitions } = await this.#log.fetch({
      isolation: 'read_committed',
      maxWaitMs: FETCH_WAIT_MS,
      maxBytes: FETCH_BYTES,
      partitions: [
        {
          topic: this.topic,
          partition: this.partition,
          topicId: this.topicId,
          position: this.#next,
          maxBytes: FETCH_BYTES,
        },
      ],
    })
    const fetched = partitions[0]
    if (fetched === undefined) return
    if (fetched.error !== undefined) throw this.#refused(fetched.error)
    this.#lastStableOffset = fetched.lastStableOffset
    if (fetched.nextOffset === this.#next.offset) return
    const fromOffset = this.#next.offset
    this.#next = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
    this.#piece = fetched.batches
    this.#isViewed = false
    this.#cursor = new BatchReader(fetched.batches, { fromOffset })
  }

  #refused(error: { readonly code: string; readonly message: string }): MillraceError {
    const message = `Cannot go on reading ${this.topic}[${this.partition}] at offset ${this.#next.offset}: ${error.message}`
    return new UsageError(error.code, message, {
      facts: { topic: this.topic, partition: this.partition, offset: this.#next.offset },
    })
  }
}
