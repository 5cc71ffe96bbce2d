import type { BatchHeader } from '../batch/header.ts'
import { FencedError, RejectedError } from '../errors.ts'

/** Batches remembered per producer: as many as a Kafka client may have in flight. */
const BATCHES_MAX = 5
const SEQUENCE_LIMIT = 2 ** 31
/** Slots of a remembered batch: first sequence, last sequence, base offset. */
const SLOTS = 3

/**
 * An opening does not remember producers again whose last batch lies in a segment that nobody has
 * appended to for this long, by the log's time; as Kafka's `producer.id.expiration.ms`.
 */
export const PRODUCER_EXPIRATION_MS = 86_400_000

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
  /** What those touched were before, in the same order; used again and again. */
  readonly #before: Remembered[] = []

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
      this.#place(header, baseOffset)
      return undefined
    }
    const { epoch } = producer
    if (header.producerEpoch < epoch) throw fenced(header, epoch)
    if (header.producerEpoch === epoch) {
      const duplicate = producer.find(header)
      if (duplicate !== undefined) return duplicate
    }
    const expected = header.producerEpoch > epoch ? 0 : producer.nextSequence
    if (header.baseSequence !== expected) throw outOfOrder(header, expected)
    this.#place(header, baseOffset)
    return undefined
  }

  /** Notes a batch that is in the log, and so stays, without asking whether it may be. */
  note(header: BatchHeader, baseOffset: number): void {
    this.#get(header.producerId).push(header, baseOffset)
  }

  /** What was added since the last call stands. */
  keep(): void {
    for (const producer of this.#touched) producer.isTouched = false
    this.#touched.length = 0
  }

  /** Undoes what was added since {@link ProducerState.keep}. */
  rollBack(): void {
    for (const [index, producer] of this.#touched.entries()) {
      producer.isTouched = false
      const before = this.#before[index]
      if (before !== undefined) copy(before, producer)
      if (producer.batches.length === 0) this.#producers.delete(producer.producerId)
    }
    this.#touched.length = 0
  }

  #get(producerId: number): Producer {
    let producer = this.#producers.get(producerId)
    if (producer === undefined) {
      producer = new Producer(producerId)
      this.#producers.set(producerId, producer)
    }
    return producer
  }

  #place(header: BatchHeader, baseOffset: number): void {
    const producer = this.#get(header.producerId)
    if (!producer.isTouched) this.#touch(producer)
    producer.push(header, baseOffset)
  }

  #touch(producer: Producer): void {
    producer.isTouched = true
    const before = (this.#before[this.#touched.length] ??= { epoch: 0, batches: [] })
    copy(producer, before)
    this.#touched.push(producer)
  }
}

/** The batches, oldest first, and the epoch they are of. */
interface Remembered {
  epoch: number
  batches: number[]
}

function copy(from: Remembered, to: Remembered): void {
  to.epoch = from.epoch
  to.batches.length = from.batches.length
  for (let index = 0; index < from.batches.length; index++) {
    to.batches[index] = from.batches[index] ?? 0
  }
}

/** Small, for a log may see very many of them: most write one batch. */
class Producer implements Remembered {
  readonly producerId: number
  epoch = 0
  batches: number[] = []
  isTouched = false

  constructor(producerId: number) {
    this.producerId = producerId
  }

  get nextSequence(): number {
    const last = this.batches.at(-SLOTS + 1)
    return last === undefined ? 0 : (last + 1) % SEQUENCE_LIMIT
  }

  find(header: BatchHeader): Duplicate | undefined {
    const { batches } = this
    const last = lastSequence(header)
    for (let slot = 0; slot < batches.length; slot += SLOTS) {
      if (batches[slot] === header.baseSequence && batches[slot + 1] === last) {
        return { baseOffset: batches[slot + 2] ?? 0 }
      }
    }
    return undefined
  }

  push(header: BatchHeader, baseOffset: number): void {
    const { batches } = this
    if (batches.length === 0 || this.epoch !== header.producerEpoch) {
      this.epoch = header.producerEpoch
      // By a literal: pushed to, an empty array takes room for twenty.
      this.batches = [header.baseSequence, lastSequence(header), baseOffset]
      return
    }
    if (batches.length < BATCHES_MAX * SLOTS) {
      batches.push(header.baseSequence, lastSequence(header), baseOffset)
      return
    }
    // In place: cut and pushed to, an array takes its room anew with each batch.
    const newest = batches.length - SLOTS
    for (let slot = 0; slot < newest; slot++) batches[slot] = batches[slot + SLOTS] ?? 0
    batches[newest] = header.baseSequence
    batches[newest + 1] = lastSequence(header)
    batches[newest + 2] = baseOffset
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
