/**
 * The way of one partition's records into the log, in order.
 *
 * A batch is open (takes records) → sealed (waits for its turn) → in flight → acknowledged or failed.
 * The queue is
 * - flowing: up to `maxInFlight` batches are in flight;
 * - recovering: a batch came back. Nothing new is sent until all in flight have come back; then those
 *   that may go again do so, in their old order and with their old sequences, by which the log tells
 *   a retry from a new batch;
 * - failed: fenced, closed or broken for good; everything fails with that error.
 */
import { type Encoded, expectTimestamp, recordBytesMax } from '../batch/batch-writer.ts'
import { HEADER_BYTES, stampSequence } from '../batch/header.ts'
import {
  ClosedError,
  FailedError,
  FencedError,
  invariant,
  MillraceError,
  RejectedError,
  UnavailableError,
} from '../errors.ts'
import type { Clock } from '../io/index.ts'
import type { Compression, Log, ProducerIdentity } from '../log.ts'
import type { Header } from '../record.ts'
import type { ByteBudget } from './byte-budget.ts'
import { PendingBatch } from './pending-batch.ts'

/** What the queues of one producer share. */
export interface QueueSettings {
  readonly log: Log
  readonly clock: Clock
  readonly budget: ByteBudget
  readonly lingerMs: number
  readonly batchBytes: number
  readonly maxInFlight: number
  readonly deliveryTimeoutMs: number
  readonly retryBackoffMs: number
  readonly isTransactional: boolean
  /** Gives an identity; another one than `stale`. */
  readonly identify: (stale?: ProducerIdentity) => Promise<ProducerIdentity>
  readonly onBatchOpened: (batch: PendingBatch) => void
  readonly onBatchFailed: (batch: PendingBatch, error: unknown) => void
}

/** What the topic asks of its batches. */
export interface QueueLimits {
  readonly compression: Compression
  readonly maxMessageBytes: number
}

const SEQUENCE_MASK = 0x7fffffff

export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  limits: QueueLimits

  readonly #settings: QueueSettings
  #open: PendingBatch | undefined
  #sealed: PendingBatch[] = []
  #inFlight: PendingBatch[] = []
  #toRetry: PendingBatch[] = []
  /** First of the batches that came back refused: their sequences were never used. */
  #refused: PendingBatch | undefined
  #isLingering = false
  /** The open batch waits no longer for company. */
  #isDue = false
  #isRecovering = false
  #isIdentifying = false
  #identity: ProducerIdentity | undefined
  #staleIdentity: ProducerIdentity | undefined
  #nextSequence = 0
  #batchCount = 0
  #failure: unknown
  #capacityBytes = 0

  constructor(topic: string, partition: number, limits: QueueLimits, settings: QueueSettings) {
    this.topic = topic
    this.partition = partition
    this.limits = limits
    this.#settings = settings
  }

  /** Adds a record to the open batch and gives that batch; the record is its last one. */
  append(
    key: Encoded,
    value: Encoded,
    timestampMs: number,
    headers?: readonly Header[],
  ): PendingBatch {
    if (this.#failure !== undefined) throw this.#failure
    const { maxMessageBytes } = this.limits
    const limitBytes = Math.min(this.#settings.batchBytes, maxMessageBytes)
    const bytesMax = recordBytesMax(key, value, headers)
    if (HEADER_BYTES + bytesMax > maxMessageBytes) this.#refuseLarge(key, value, headers)
    if (this.#open !== undefined && this.#open.writer.sizeBytes + bytesMax > limitBytes) {
      this.#seal()
    }
    const batch = this.#open ?? this.#openBatch(timestampMs)
    const { writer } = batch
    const sizeBefore = writer.sizeBytes
    writer.append(key, value, timestampMs, headers, bytesMax)
    const addedBytes = writer.sizeBytes - sizeBefore
    batch.recordCount++
    batch.heldBytes += addedBytes
    this.#settings.budget.take(addedBytes)
    if (writer.sizeBytes >= limitBytes) this.#seal()
    return batch
  }

  /** Sends what is open without waiting for company. */
  push(): void {
    this.#isDue = true
    this.#drain()
  }

  /** Place in the queue's order of the batch that the next record goes into. */
  get openOrdinal(): number {
    return this.#open?.ordinal ?? this.#batchCount
  }

  /** The batches not settled yet. */
  outstanding(): PendingBatch[] {
    return [...this.#inFlight, ...this.#unsent()]
  }

  /** Fails all that is not in flight; with `andLater` all that follows, too, until `adopt`. */
  discard(error: unknown, andLater: boolean): void {
    if (andLater) this.#failure ??= error
    const unsent = this.#unsent()
    this.#toRetry = []
    this.#sealed = []
    this.#open = undefined
    for (const batch of unsent) this.#settleFailed(batch, error)
  }

  /** Goes on, afresh, under `identity`; another one than before starts its sequences at zero. */
  adopt(identity: ProducerIdentity): void {
    invariant(this.outstanding().length === 0, 'an identity changed with batches under way')
    this.#failure = undefined
    const { producerId, producerEpoch } = this.#identity ?? {}
    if (producerId === identity.producerId && producerEpoch === identity.producerEpoch) return
    this.#identity = identity
    this.#nextSequence = 0
  }

  #unsent(): PendingBatch[] {
    const open = this.#open === undefined ? [] : [this.#open]
    return [...this.#toRetry, ...this.#sealed, ...open]
  }

  #openBatch(timestampMs: number): PendingBatch {
    // A batch that is opened must get its record.
    expectTimestamp(timestampMs)
    const { clock, lingerMs, budget } = this.#settings
    const batch = new PendingBatch(this, this.#batchCount++, this.#capacityBytes)
    batch.createdMs = clock.monotonicMs()
    batch.heldBytes = HEADER_BYTES
    budget.take(HEADER_BYTES)
    this.#open = batch
    this.#isDue = false
    this.#settings.onBatchOpened(batch)
    if (this.#isLingering) return batch
    this.#isLingering = true
    const onLingered = (): void => {
      this.#isLingering = false
      this.push()
    }
    if (lingerMs === 0) queueMicrotask(onLingered)
    else clock.schedule(lingerMs, onLingered)
    return batch
  }

  #seal(): void {
    if (this.#open === undefined) return
    this.#sealed.push(this.#open)
    this.#open = undefined
    this.#drain()
  }

  #drain(): void {
    while (!this.#isRecovering) {
      const batch = this.#sealed[0] ?? (this.#isDue ? this.#open : undefined)
      if (batch === undefined || !this.#isInWindow(batch)) return
      if (this.#identity === undefined) {
        this.#identify()
        return
      }
      if (batch === this.#open) this.#open = undefined
      else this.#sealed.shift()
      this.#encode(batch, this.#identity)
      this.#send(batch)
    }
  }

  /**
   * The log knows a retry only while it is among the producer's last few batches: the oldest that is
   * not acknowledged must not fall behind those, even if later ones were.
   */
  #isInWindow({ ordinal }: PendingBatch): boolean {
    if (this.#inFlight.length === 0) return true
    return this.#inFlight.every((other) => ordinal - other.ordinal < this.#settings.maxInFlight)
  }

  #identify(): void {
    if (this.#isIdentifying) return
    this.#isIdentifying = true
    this.#settings.identify(this.#staleIdentity).then(
      (identity) => {
        this.#isIdentifying = false
        this.#identity = identity
        this.#nextSequence = 0
        this.#drain()
      },
      (error: unknown) => {
        this.#isIdentifying = false
        this.discard(error, isFinal(error))
      },
    )
  }

  #encode(batch: PendingBatch, identity: ProducerIdentity): void {
    if (batch.bytes !== undefined) return
    // The next buffer starts as large as this one became, so that it need not grow.
    const { batchBytes } = this.#settings
    const guess = batch.writer.sizeBytes + (batch.writer.sizeBytes >> 4)
    this.#capacityBytes = batch.writer.sizeBytes <= batchBytes ? Math.min(guess, batchBytes) : guess
    batch.baseSequence = this.#nextSequence
    this.#nextSequence = sequenceAfter(batch)
    batch.bytes = batch.writer.finish({
      ...identity,
      compression: this.limits.compression,
      baseSequence: batch.baseSequence,
      isTransactional: this.#settings.isTransactional,
      withoutCrc: true,
    })
  }

  #send(batch: PendingBatch): void {
    const { topic, partition } = this
    invariant(batch.bytes !== undefined, 'a batch was sent before it was encoded')
    this.#inFlight.push(batch)
    this.#settings.log.append({ topic, partition, batch: batch.bytes, needsCrc: true }).then(
      ({ baseOffset }) => this.#onAcknowledged(batch, baseOffset),
      (error: unknown) => this.#onCameBack(batch, error),
    )
  }

  #onAcknowledged(batch: PendingBatch, baseOffset: number): void {
    this.#land(batch)
    this.#settings.budget.giveBack(batch.heldBytes)
    batch.acknowledge(baseOffset)
    this.#goOn()
  }

  #onCameBack(batch: PendingBatch, error: unknown): void {
    const isBehindAnother = this.#isRecovering || this.#inFlight[0] !== batch
    this.#land(batch)
    batch.hasComeBack = true
    if (this.#failure === undefined && this.#mayGoAgain(batch, error, isBehindAnother)) {
      this.#isRecovering = true
      this.#toRetry.push(batch)
    } else {
      this.#settleFailed(batch, error)
      this.#afterLoss(batch, error)
    }
    this.#goOn()
  }

  #mayGoAgain(batch: PendingBatch, error: unknown, isBehindAnother: boolean): boolean {
    // A batch behind one that came back has a gap before it, which is no fault of its own.
    if (isOutOfOrder(error)) return isBehindAnother
    const ageMs = this.#settings.clock.monotonicMs() - batch.createdMs
    return error instanceof UnavailableError && ageMs < this.#settings.deliveryTimeoutMs
  }

  /** The log refuses whatever follows a gap in the sequences, so a lost batch must not leave one. */
  #afterLoss(batch: PendingBatch, error: unknown): void {
    // A transaction that has lost a batch can only be aborted.
    if (isFinal(error) || this.#settings.isTransactional) {
      this.discard(error, true)
      return
    }
    if (error instanceof RejectedError && !isOutOfOrder(error)) {
      this.#isRecovering = true
      if (this.#refused === undefined || batch.ordinal < this.#refused.ordinal) {
        this.#refused = batch
      }
      return
    }
    // The outcome is unknown: giving the batches behind it other sequences might write them twice.
    this.discard(error, false)
    this.#staleIdentity = this.#identity
    this.#identity = undefined
  }

  #goOn(): void {
    if (!this.#isRecovering) {
      this.#drain()
      return
    }
    if (this.#inFlight.length > 0) return
    const backoffMs = this.#refused === undefined ? this.#settings.retryBackoffMs : 0
    this.#settings.clock.schedule(backoffMs, () => this.#resume())
  }

  #resume(): void {
    this.#toRetry.sort((left, right) => left.ordinal - right.ordinal)
    if (this.#refused !== undefined) this.#closeGap(this.#refused)
    this.#sealed.unshift(...this.#toRetry)
    this.#toRetry = []
    this.#refused = undefined
    this.#isRecovering = false
    this.#drain()
  }

  /** Moves the sequences of the batches behind a refused one up. None of them can have been written. */
  #closeGap(refused: PendingBatch): void {
    this.#nextSequence = refused.baseSequence
    for (const batch of this.#toRetry) {
      if (batch.ordinal < refused.ordinal || batch.bytes === undefined) continue
      batch.baseSequence = this.#nextSequence
      stampSequence(batch.bytes, batch.baseSequence)
      this.#nextSequence = sequenceAfter(batch)
    }
  }

  #land(batch: PendingBatch): void {
    if (this.#inFlight[0] === batch) this.#inFlight.shift()
    else this.#inFlight.splice(this.#inFlight.indexOf(batch), 1)
  }

  #settleFailed(batch: PendingBatch, error: unknown): void {
    this.#settings.budget.giveBack(batch.heldBytes)
    this.#settings.onBatchFailed(batch, error)
    batch.fail(error)
  }

  #refuseLarge(key: Encoded, value: Encoded, headers?: readonly Header[]): void {
    const { maxMessageBytes } = this.limits
    const sizeBytes = HEADER_BYTES + recordBytesMax(toBytes(key), toBytes(value), headers)
    if (sizeBytes <= maxMessageBytes) return
    throw new RejectedError(
      'RECORD_TOO_LARGE',
      `A record of ${sizeBytes} bytes is more than topic "${this.topic}" takes ` +
        `(maxMessageBytes is ${maxMessageBytes}). Send less at once, or alter the topic.`,
      { facts: { topic: this.topic, partition: this.partition, sizeBytes, maxMessageBytes } },
    )
  }
}

function sequenceAfter(batch: PendingBatch): number {
  return (batch.baseSequence + batch.recordCount) & SEQUENCE_MASK
}

function isOutOfOrder(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'OUT_OF_ORDER_SEQUENCE'
}

/** Whether nothing that follows can succeed either. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof FencedError || error instanceof FailedError || error instanceof ClosedError
  )
}

function toBytes(encoded: Encoded): Uint8Array | null {
  return typeof encoded === 'string' ? Buffer.from(encoded) : encoded
}
