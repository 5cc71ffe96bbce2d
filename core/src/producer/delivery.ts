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
export class Delivery implements Promise<Acknowledgement> {
  #batch: PendingBatch | undefined
  #index = 0
  #timestampMs = 0
  #failure: unknown
  #placement: PromiseWithResolvers<PendingBatch> | undefined
  #isObserved = false

  /** Whether somebody waits for the outcome, and so will see a failure. */
  get isObserved(): boolean {
    return this.#isObserved
  }

  /** The record has become the last one of `batch`. */
  place(batch: PendingBatch, timestampMs: number): this {
    this.#batch = batch
    this.#index = batch.recordCount - 1
    this.#timestampMs = timestampMs
    this.#placement?.resolve(batch)
    return this
  }

  /** The record has got into no batch. */
  fail(error: unknown): void {
    this.#failure = error
    this.#placement?.reject(error)
  }

  get [Symbol.toStringTag](): string {
    return 'Delivery'
  }

  // A thenable on purpose: this is how a promise is put off until it is awaited.
  // oxlint-disable-next-line unicorn/no-thenable
  then<T = Acknowledgement, E = never>(
    onAcknowledged?: ((value: Acknowledgement) => T | PromiseLike<T>) | null,
    onFailed?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.#acknowledged().then(onAcknowledged, onFailed)
  }

  catch<E = never>(
    onFailed?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<Acknowledgement | E> {
    return this.#acknowledged().catch(onFailed)
  }

  finally(onSettled?: (() => void) | null): Promise<Acknowledgement> {
    return this.#acknowledged().finally(onSettled)
  }

  async #acknowledged(): Promise<Acknowledgement> {
    this.#isObserved = true
    if (this.#failure !== undefined) throw this.#failure
    const batch = this.#batch ?? (await (this.#placement ??= Promise.withResolvers()).promise)
    await batch.settled()
    return {
      topic: batch.topic,
      partition: batch.partition,
      offset: batch.baseOffset + this.#index,
      timestampMs: this.#timestampMs,
    }
  }
}
