import { UnavailableError } from '../errors.ts'
import type { Clock, Timer } from '../io/index.ts'
import type { Partition } from '../storage/partition.ts'
import type { Journal } from './journal.ts'
import { transactionKey } from './journal-state.ts'
import type { Decision, TransactionPartition } from './journal-state.ts'

/** A marker that found no room on the disk is tried again after this long. */
const RETRY_MS = 1000

/**
 * Writes the end markers of decided transactions into their partitions. Nobody waits for them: readers
 * go by the decision, which is kept in the journal until its markers are synced by whatever syncs next.
 */
export class Markers {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #retries = new Set<Timer>()
  readonly #writing = new Set<Promise<unknown>>()
  readonly #damaged = new Set<string>()
  #marked: Decision[] = []
  #isClosed = false

  constructor(journal: Journal, clock: Clock) {
    this.#journal = journal
    this.#clock = clock
  }

  /** Queues the markers of a decision; in each partition they precede whatever is appended next. */
  write(decision: Decision, partitions: readonly Partition[]): void {
    let missing = partitions.length
    const oneSynced = (): void => {
      missing--
      if (missing === 0) this.#noteMarked(decision)
    }
    if (missing === 0) this.#noteMarked(decision)
    for (const partition of partitions) this.#writeOne(decision, partition, oneSynced)
  }

  /** Decisions about these partitions are kept until their bytes are whole again. */
  leaveOut(damaged: readonly Partition[]): void {
    for (const { log } of damaged) this.#damaged.add(placeKey(log))
  }

  /** Drops decisions from the journal whose markers recovery has found, and so synced. */
  async forgetMarked(stillOpen: ReadonlySet<string>): Promise<void> {
    for (const [key, decision] of this.#journal.state.decisions) {
      if (!stillOpen.has(key)) this.#noteMarked(decision)
    }
    await this.#flushMarked()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const timer of this.#retries) timer.cancel()
    while (this.#writing.size > 0) await Promise.allSettled(this.#writing)
  }

  #writeOne(decision: Decision, partition: Partition, oneSynced: () => void): void {
    const { producerId, producerEpoch, outcome } = decision
    const timestampMs = this.#clock.nowMs()
    const marker = { outcome, producerId, producerEpoch, timestampMs }
    const writing: Promise<unknown> = partition.appendMarker(marker).then(
      ({ baseOffset }) => {
        // Without room to show them the decision is kept until the next opening.
        this.#whenSeen(partition, baseOffset + 1).then(oneSynced, () => {})
      },
      (error: unknown) => {
        // After any other error the next opening writes it: the decision is still in the journal.
        if (error instanceof UnavailableError) this.#retry(decision, partition, oneSynced)
      },
    )
    this.#track(writing)
  }

  /** Resolves once everything below `offset` is synced and other processes can see that. */
  async #whenSeen(partition: Partition, offset: number): Promise<void> {
    await partition.whenSynced(offset)
    await partition.watermarkSettled()
  }

  #retry(decision: Decision, partition: Partition, oneSynced: () => void): void {
    if (this.#isClosed || partition.isClosed) return
    const timer = this.#clock.schedule(RETRY_MS, () => {
      this.#retries.delete(timer)
      this.#writeOne(decision, partition, oneSynced)
    })
    this.#retries.add(timer)
  }

  #noteMarked(decision: Decision): void {
    if (decision.partitions.some((place) => this.#damaged.has(placeKey(place)))) return
    this.#marked.push(decision)
    // One entry for all that were synced together; what a crash or a full disk prevents is found again.
    if (this.#marked.length === 1) this.#track(Promise.resolve().then(() => this.#flushMarked()))
  }

  async #flushMarked(): Promise<void> {
    const transactions = this.#marked
      .filter((decision) => this.#journal.state.decisions.has(transactionKey(decision)))
      .map(({ producerId, producerEpoch }) => ({ producerId, producerEpoch }))
    this.#marked = []
    if (transactions.length > 0) await this.#journal.write({ type: 'marked', transactions })
  }

  #track(running: Promise<unknown>): void {
    const quiet = running
      .catch(() => {
        // The disk failed or is full; recovery finds the same decisions again.
      })
      .finally(() => this.#writing.delete(quiet))
    this.#writing.add(quiet)
  }
}

function placeKey({ topicId, partition }: TransactionPartition): string {
  return `${topicId}/${partition}`
}
