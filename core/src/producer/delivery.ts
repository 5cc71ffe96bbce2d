import { invariant } from '../errors.ts'
import type { PendingBatch } from './pending-batch.ts'

/** Where a record went. */
export interface Acknowledgement {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
}

/**
 * The outcome of one send. It stands for a promise but makes none until somebody awaits it, so that
 * sends cost no promise each; all records of a batch then share the batch's.
 */
abstract class Delivery implements Promise<Acknowledgement> {
  protected abstract acknowledged(): Promise<Acknowledgement>

  get [Symbol.toStringTag](): string {
    return 'Delivery'
  }

  // A thenable on purpose: this is how a promise is put off until it is awaited.
  // oxlint-disable-next-line unicorn/no-thenable
  then<T = Acknowledgement, E = never>(
    onAcknowledged?: ((value: Acknowledgement) => T | PromiseLike<T>) | null,
    onFailed?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.acknowledged().then(onAcknowledged, onFailed)
  }

  catch<E = never>(
    onFailed?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<Acknowledgement | E> {
    return this.acknowledged().catch(onFailed)
  }

  finally(onSettled?: (() => void) | null): Promise<Acknowledgement> {
    return this.acknowledged().finally(onSettled)
  }
}

/** Of a record that has become the last one of a batch: as small as can be, since there is one a record. */
export class PlacedDelivery extends Delivery {
  readonly #batch: PendingBatch
  readonly #index: number
  readonly #timestampMs: number

  constructor(batch: PendingBatch, timestampMs: number) {
    super()
    this.#batch = batch
    this.#index = batch.recordCount - 1
    this.#timestampMs = timestampMs
  }

  // The common way, by one promise less.
  // oxlint-disable-next-line unicorn/no-thenable
  override then<T = Acknowledgement, E = never>(
    onAcknowledged?: ((value: Acknowledgement) => T | PromiseLike<T>) | null,
    onFailed?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    if (typeof onAcknowledged !== 'function') return super.then(onAcknowledged, onFailed)
    return this.#batch.settled().then(() => onAcknowledged(this.#acknowledgement()), onFailed)
  }

  protected acknowledged(): Promise<Acknowledgement> {
    return this.#batch.settled().then(() => this.#acknowledgement())
  }

  #acknowledgement(): Acknowledgement {
    const { topic, partition, baseOffset } = this.#batch
    const offset = baseOffset + this.#index
    return { topic, partition, offset, timestampMs: this.#timestampMs }
  }
}

/** Of a record that waits for its topic or for room, or was refused before it got into a batch. */
export class WaitingDelivery extends Delivery {
  #outcome: { readonly placed: PlacedDelivery } | { readonly failure: unknown } | undefined
  #wake: PromiseWithResolvers<void> | undefined
  #isObserved = false

  /** Whether somebody waits for the outcome, and so will see a failure. */
  get isObserved(): boolean {
    return this.#isObserved
  }

  place(placed: PlacedDelivery): void {
    this.#outcome = { placed }
    this.#wake?.resolve()
  }

  /** The record has got into no batch. */
  fail(failure: unknown): void {
    this.#outcome = { failure }
    this.#wake?.resolve()
  }

  protected async acknowledged(): Promise<Acknowledgement> {
    this.#isObserved = true
    if (this.#outcome === undefined) {
      this.#wake ??= Promise.withResolvers()
      await this.#wake.promise
    }
    const outcome = this.#outcome
    invariant(outcome !== undefined, 'a delivery was told of an outcome that is not there')
    if ('failure' in outcome) throw outcome.failure
    return outcome.placed
  }
}
