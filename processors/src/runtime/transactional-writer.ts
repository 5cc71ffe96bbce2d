import {
  BatchWriter,
  type Compression,
  type Encoded,
  type GroupPositions,
  type Header,
  type Log,
  type ProducerIdentity,
  RejectedError,
} from '@millrace/core'
import { recycle } from '@millrace/core/internal'

import {
  deadLetterHeaders,
  deadLetterKey,
  type DeadLetterRecord,
  deadLetterValue,
} from './dead-letter.ts'

// One batch is one write of the log: large enough to be cheap, small enough to start early.
const BATCH_BYTES = 512 * 1024

/** What a writer needs to know of a topic. */
export interface WrittenTopic {
  readonly name: string
  readonly partitions: number
  readonly compression: Compression
  readonly maxMessageBytes: number
}

interface Target {
  readonly topic: WrittenTopic
  readonly partition: number
  /** Of the open epoch; undefined while it has no record for this partition. */
  batch: BatchWriter | undefined
  sequence: number
}

/**
 * Writes epochs to the log, each in one transaction. An epoch may be filled while the one before it
 * is being committed; its batches wait until that one has ended. The transactional id fences whoever
 * used it before.
 */
export class TransactionalWriter {
  readonly #log: Log
  readonly #targets = new Map<string, Target[]>()
  readonly #spare: BatchWriter[] = []
  #identity: ProducerIdentity
  /** Of the open epoch. */
  #sends: Promise<void>[] = []
  readonly #underWay = new Set<Promise<void>>()
  /** The end of the transaction before the open epoch. */
  #turn: Promise<void> = Promise.resolve()
  /** Bytes in the open epoch, before compression. */
  #bytes = 0
  #isEmpty = true

  private constructor(log: Log, identity: ProducerIdentity, topics: readonly WrittenTopic[]) {
    this.#log = log
    this.#identity = identity
    for (const topic of topics) {
      const targets = Array.from({ length: topic.partitions }, (_, partition) => ({
        topic,
        partition,
        batch: undefined,
        sequence: 0,
      }))
      this.#targets.set(topic.name, targets)
    }
  }

  static async open(
    log: Log,
    transactionalId: string,
    topics: readonly WrittenTopic[],
  ): Promise<TransactionalWriter> {
    return new TransactionalWriter(log, await log.initProducer({ transactionalId }), topics)
  }

  /** Bytes in the open epoch. */
  get bytes(): number {
    return this.#bytes
  }

  /** The open epoch has no record. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  partitionsOf(topic: string): number {
    return this.#targets.get(topic)?.length ?? 0
  }

  /** @throws RejectedError RECORD_INVALID, RECORD_TOO_LARGE; the epoch stays as it was. */
  append(
    topic: string,
    partition: number,
    key: Encoded,
    value: Encoded,
    timestampMs: number,
    headers?: readonly Header[],
  ): void {
    const target = this.#targets.get(topic)?.[partition]
    if (target === undefined) throw new RangeError(`There is no partition ${topic}[${partition}].`)
    const batch = this.#batchFor(target, sizeMax(key) + sizeMax(value) + headerBytes(headers))
    const before = batch.sizeBytes
    batch.append(key, value, timestampMs, headers)
    if (batch.sizeBytes > target.topic.maxMessageBytes) throw tooLarge(target, batch)
    this.#isEmpty = false
    this.#bytes += batch.sizeBytes - before
    if (batch.sizeBytes >= BATCH_BYTES) this.#send(target, batch)
  }

  /** The letter is there if and only if the epoch is committed. */
  appendDeadLetter(topic: string, letter: DeadLetterRecord): void {
    const headers = deadLetterHeaders(letter)
    const value = deadLetterValue(letter)
    this.append(topic, 0, deadLetterKey(letter), value, letter.timestampMs, headers)
  }

  /**
   * Commits the open epoch with these positions and opens the next. Resolves when the transaction has
   * ended; after a rejection this writer is of no more use than to {@link TransactionalWriter.abort}.
   */
  commit(positions: readonly GroupPositions[]): Promise<void> {
    for (const targets of this.#targets.values()) {
      for (const target of targets) if (target.batch !== undefined) this.#send(target, target.batch)
    }
    const sends = this.#sends
    const ended = this.#turn
      .then(() => Promise.all(sends))
      .then(() => this.#end('commit', positions))
    this.#sends = []
    this.#bytes = 0
    this.#isEmpty = true
    this.#turn = ended
    ended.catch(() => {})
    return ended
  }

  /** Makes sure that nothing of the open epoch is ever seen; waits for the commit before it. */
  async abort(): Promise<void> {
    await this.#turn.catch(() => {})
    // Those of a commit that failed at one of them, too: what came later would open a transaction again.
    await Promise.allSettled(this.#underWay)
    await this.#end('abort', undefined)
  }

  /** The target's open batch, if so much more still fits in; else the next one. */
  #batchFor(target: Target, bytes: number): BatchWriter {
    const open = target.batch
    if (open !== undefined && open.sizeBytes + bytes > target.topic.maxMessageBytes) {
      this.#send(target, open)
    }
    return (target.batch ??= this.#spare.pop() ?? new BatchWriter())
  }

  #send(target: Target, batch: BatchWriter): void {
    target.batch = undefined
    const sent = this.#turn.then(() => this.#append(target, batch))
    const ended = (): void => void this.#underWay.delete(sent)
    sent.then(ended, ended)
    this.#underWay.add(sent)
    this.#sends.push(sent)
  }

  async #append(target: Target, batch: BatchWriter): Promise<void> {
    const count = batch.recordCount
    const bytes = batch.finish({
      compression: target.topic.compression,
      producerId: this.#identity.producerId,
      producerEpoch: this.#identity.producerEpoch,
      baseSequence: target.sequence,
      isTransactional: true,
      withoutCrc: true,
    })
    target.sequence = (target.sequence + count) % 2 ** 31
    this.#spare.push(batch)
    const { topic, partition } = target
    await this.#log.append({ topic: topic.name, partition, batch: bytes, needsCrc: true })
    recycle(bytes)
  }

  async #end(
    outcome: 'commit' | 'abort',
    positions: readonly GroupPositions[] | undefined,
  ): Promise<void> {
    const identity = await this.#log.endTransaction({
      ...this.#identity,
      outcome,
      ...(positions === undefined ? {} : { positions }),
    })
    if (identity.producerEpoch !== this.#identity.producerEpoch) this.#restartSequences()
    this.#identity = identity
  }

  #restartSequences(): void {
    for (const targets of this.#targets.values()) for (const target of targets) target.sequence = 0
  }
}

// Beside key and value: lengths, deltas, a few headers. What does not fit goes into a batch of its own.
const RECORD_EXTRA_BYTES = 1024
const UTF8_BYTES_PER_UNIT_MAX = 3

function sizeMax(encoded: Encoded): number {
  if (encoded === null) return RECORD_EXTRA_BYTES / 2
  const units = typeof encoded === 'string' ? UTF8_BYTES_PER_UNIT_MAX : 1
  return encoded.length * units + RECORD_EXTRA_BYTES / 2
}

function headerBytes(headers: readonly Header[] | undefined): number {
  if (headers === undefined) return 0
  let bytes = 0
  for (const { key, value } of headers) bytes += sizeMax(key) + (value?.length ?? 0)
  return bytes
}

/** The record is alone in its batch and yet too large: the batch is dropped with it. */
function tooLarge(target: Target, batch: BatchWriter): RejectedError {
  target.batch = undefined
  const { name, maxMessageBytes } = target.topic
  return new RejectedError(
    'RECORD_TOO_LARGE',
    `It takes ${batch.sizeBytes} bytes, and ${name} takes at most ${maxMessageBytes}. ` +
      `Make it smaller, or raise the topic's maxMessageBytes.`,
    { facts: { topic: name, sizeBytes: batch.sizeBytes, maxMessageBytes } },
  )
}
