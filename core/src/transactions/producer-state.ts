import type { BatchHeader } from '../batch/header.ts'
import { FencedError, RejectedError } from '../errors.ts'

/** Batches remembered per producer: as many as a Kafka client may have in flight. */
const BATCHES_MAX = 5
const SEQUENCE_LIMIT = 2 ** 31
/** Slots of a remembered batch: first sequence, last sequence, base offset. */
const SLOTS = 3
const EPOCH = BATCHES_MAX * SLOTS
const COUNT = EPOCH + 1

/** The answer to an idempotent batch that was appended before. */
export interface Duplicate {
  readonly baseOffset: number
}

/**
 * The last batches of each idempotent producer in one partition, so that a retry is answered instead of
 * written twice. Batches are noted when they get their offset; {@link ProducerState.rollBack} undoes
 * those of a group that could not be written.
 */
export class ProducerState {
  readonly #producers = new Map<number, Producer>()
  readonly #touched: Producer[] = []

  /**
   * Checks a batch's sequence and notes it at `baseOffset`.
   *
   * @returns Where it already stands, when it is a retry.
   * @throws RejectedError OUT_OF_ORDER_SEQUENCE: an earlier batch is missing, or it is too old a retry.
   * @throws FencedError PRODUCER_FENCED: a newer epoch has written.
   */
  add(header: BatchHeader, baseOffset: number): Duplicate | undefined {
    const producer = this.#producers.get(header.producerId)
    if (producer === undefined) {
      if (header.baseSequence !== 0) throw outOfOrder(header, 0)
      this.note(header, baseOffset)
      return undefined
    }
    const epoch = producer.now[EPOCH] ?? 0
    if (header.producerEpoch < epoch) throw fenced(header, epoch)
    if (header.producerEpoch === epoch) {
      const duplicate = producer.find(header)
      if (duplicate !== undefined) return duplicate
    }
    const expected = header.producerEpoch > epoch ? 0 : producer.nextSequence
    if (header.baseSequence !== expected) throw outOfOrder(header, expected)
    this.note(header, baseOffset)
    return undefined
  }

  /** Notes a batch that is in the log, without asking whether it may be. */
  note(header: BatchHeader, baseOffset: number): void {
    let producer = this.#producers.get(header.producerId)
    if (producer === undefined) {
      producer = new Producer(header.producerId)
      this.#producers.set(header.producerId, producer)
    }
    if (!producer.isTouched) {
      producer.isTouched = true
      producer.before.set(producer.now)
      this.#touched.push(producer)
    }
    producer.push(header, baseOffset)
  }

  /** What was noted since the last call stands. */
  keep(): void {
    for (const producer of this.#touched) producer.isTouched = false
    this.#touched.length = 0
  }

  /** Undoes what was noted since {@link ProducerState.keep}. */
  rollBack(): void {
    for (const producer of this.#touched) {
      producer.isTouched = false
      producer.now.set(producer.before)
      if (producer.isEmpty) this.#producers.delete(producer.producerId)
    }
    this.#touched.length = 0
  }
}

class Producer {
  readonly producerId: number
  /** The batches, oldest first, then the epoch and how many batches there are. */
  readonly now = new Float64Array(COUNT + 1)
  readonly before = new Float64Array(COUNT + 1)
  isTouched = false

  constructor(producerId: number) {
    this.producerId = producerId
  }

  get isEmpty(): boolean {
    return this.now[COUNT] === 0
  }

  get nextSequence(): number {
    const count = this.now[COUNT] ?? 0
    return count === 0 ? 0 : ((this.now[(count - 1) * SLOTS + 1] ?? 0) + 1) % SEQUENCE_LIMIT
  }

  find(header: BatchHeader): Duplicate | undefined {
    const last = lastSequence(header)
    for (let slot = 0; slot < (this.now[COUNT] ?? 0) * SLOTS; slot += SLOTS) {
      if (this.now[slot] === header.baseSequence && this.now[slot + 1] === last) {
        return { baseOffset: this.now[slot + 2] ?? 0 }
      }
    }
    return undefined
  }

  push(header: BatchHeader, baseOffset: number): void {
    if (this.now[EPOCH] !== header.producerEpoch) {
      this.now.fill(0)
      this.now[EPOCH] = header.producerEpoch
    }
    if (this.now[COUNT] === BATCHES_MAX) this.now.copyWithin(0, SLOTS, BATCHES_MAX * SLOTS)
    else this.now[COUNT] = (this.now[COUNT] ?? 0) + 1
    const slot = ((this.now[COUNT] ?? 1) - 1) * SLOTS
    this.now[slot] = header.baseSequence
    this.now[slot + 1] = lastSequence(header)
    this.now[slot + 2] = baseOffset
  }
}

function lastSequence(header: BatchHeader): number {
  return (header.baseSequence + header.lastOffsetDelta) % SEQUENCE_LIMIT
}

function outOfOrder(header: BatchHeader, expected: number): RejectedError {
  return new RejectedError(
    'OUT_OF_ORDER_SEQUENCE',
    `Producer ${header.producerId} sent sequence ${header.baseSequence} where ${expected} was due: a batch before it ` +
      `is missing, or this is a retry of one long past. Nothing was written; initialise the producer again.`,
    { facts: { producerId: header.producerId, sequence: header.baseSequence, expected } },
  )
}

/** The error for whoever holds an epoch that a newer one has replaced. */
export function fenced(
  identity: { readonly producerId: number; readonly producerEpoch: number },
  epoch: number,
): FencedError {
  return new FencedError(
    'PRODUCER_FENCED',
    `Producer ${identity.producerId} with epoch ${identity.producerEpoch} was replaced (the newest epoch is ${epoch}). ` +
      `Nothing was written; somebody newer has taken over, so stop.`,
    { facts: { ...identity, epoch } },
  )
}
