/**
 * The transactions of one producer: none → open → ending → none. A batch that fails breaks an open one:
 * only an abort gets out of that. An end that fails leaves it open, and broken.
 */
import { FencedError, RejectedError, UsageError } from '../errors.ts'
import type { GroupPositions, Log, ProducerIdentity } from '../log.ts'
import type { Retry } from '../retry.ts'
import type { Identity } from './identity.ts'
import type { KnownTopics } from './known-topics.ts'
import type { PendingBatch } from './pending-batch.ts'

/** The producer, as its transactions need it. */
export interface TransactionParts {
  readonly isTransactional: boolean
  readonly log: Log
  readonly retry: Retry
  readonly identity: Identity
  readonly topics: KnownTopics
}

export class Transaction {
  readonly #parts: TransactionParts
  #state: 'none' | 'open' | 'ending' = 'none'
  #failure: unknown

  constructor(parts: TransactionParts) {
    this.#parts = parts
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get isEnding(): boolean {
    return this.#state === 'ending'
  }

  /** @throws UsageError TRANSACTION_STATE where a record would be in no transaction. */
  expectSends(): void {
    if (!this.#parts.isTransactional || this.#state === 'open') return
    throw new UsageError(
      'TRANSACTION_STATE',
      'A transactional producer sends only inside a transaction: call beginTransaction() first.',
    )
  }

  /** @throws UsageError TRANSACTION_STATE unless the next step may follow. */
  expect(expected: 'none' | 'open', action: string): void {
    const { isTransactional } = this.#parts
    if (isTransactional && this.#state === expected) return
    const reason = isTransactional
      ? `a transaction is ${this.#state === 'none' ? 'not open' : this.#state}`
      : 'the producer has no transactionalId'
    throw new UsageError('TRANSACTION_STATE', `Cannot ${action}: ${reason}.`)
  }

  async begin(): Promise<void> {
    await this.#parts.identity.get()
    this.#state = 'open'
    this.#failure = undefined
  }

  /** Takes note that a batch was lost. */
  fail(error: unknown): void {
    if (this.#state === 'open') this.#failure ??= error
  }

  async commit(positions: readonly GroupPositions[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await this.#end('commit', positions)
  }

  /** Drops what was not sent yet, and waits for what is under way. */
  async discard(): Promise<void> {
    this.#state = 'ending'
    const aborted = new RejectedError('TRANSACTION_STATE', 'Its transaction was aborted.')
    const underWay: PendingBatch[] = []
    for (const queue of this.#parts.topics.queues()) {
      queue.discard(aborted, false)
      underWay.push(...queue.outstanding())
    }
    await Promise.allSettled(underWay.map((batch) => batch.settled()))
  }

  abort(): Promise<void> {
    return this.#end('abort', [])
  }

  async #end(outcome: 'commit' | 'abort', positions: readonly GroupPositions[]): Promise<void> {
    const { log, retry, identity, topics } = this.#parts
    this.#state = 'ending'
    const current = await identity.get()
    try {
      const next = await retry(() => log.endTransaction({ ...current, outcome, positions }))
      await this.#adopt(next, next.producerEpoch === current.producerEpoch)
      this.#state = 'none'
    } catch (error) {
      this.#state = 'open'
      this.#failure = error
      if (error instanceof FencedError) topics.stop(error)
      throw error
    }
  }

  /** After a lost batch the log may expect other sequences than ours: only a new epoch is safe. */
  async #adopt(next: ProducerIdentity, isSameEpoch: boolean): Promise<void> {
    const { identity, topics } = this.#parts
    const isSafe = !isSameEpoch || this.#failure === undefined
    identity.adopt(next)
    const adopted = isSafe ? next : await identity.renew()
    for (const queue of topics.queues()) queue.adopt(adopted)
  }
}
