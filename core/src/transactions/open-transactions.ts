import type { Outcome } from './journal-state.ts'

/** A transaction in one partition that is not decided. */
export interface UndecidedTransaction {
  readonly producerId: number
  readonly producerEpoch: number
  readonly firstOffset: number
}

/** Offsets of one producer that an abort made void, both ends included. */
interface AbortedRange {
  readonly firstOffset: number
  readonly lastOffset: number
}

/**
 * The transactions of one partition: which are undecided, from which offset on, and which offsets were
 * aborted. Built from batches and markers, and told of decisions before their markers are written.
 */
export class OpenTransactions {
  readonly #open = new Map<number, UndecidedTransaction>()
  readonly #aborted = new Map<number, AbortedRange[]>()

  /** First offset of the oldest undecided transaction; infinite when there is none. */
  get firstUndecidedOffset(): number {
    let first = Number.POSITIVE_INFINITY
    for (const { firstOffset } of this.#open.values()) {
      if (firstOffset < first) first = firstOffset
    }
    return first
  }

  /** The undecided transactions. */
  list(): UndecidedTransaction[] {
    return [...this.#open.values()]
  }

  /** Takes note of a transaction's batch in the log. */
  add(producerId: number, producerEpoch: number, baseOffset: number): void {
    const key = keyOf(producerId, producerEpoch)
    if (!this.#open.has(key)) {
      this.#open.set(key, { producerId, producerEpoch, firstOffset: baseOffset })
    }
  }

  /** The transaction ended; `endOffset` is past its last batch. */
  decide(producerId: number, producerEpoch: number, outcome: Outcome, endOffset: number): void {
    const key = keyOf(producerId, producerEpoch)
    const open = this.#open.get(key)
    if (open === undefined) return
    this.#open.delete(key)
    if (outcome === 'commit') return
    const range = { firstOffset: open.firstOffset, lastOffset: endOffset - 1 }
    const ranges = this.#aborted.get(key)
    if (ranges === undefined) this.#aborted.set(key, [range])
    else ranges.push(range)
  }

  /** Whether the transactional batch of this producer at `baseOffset` was aborted. */
  isAborted(producerId: number, producerEpoch: number, baseOffset: number): boolean {
    const ranges = this.#aborted.get(keyOf(producerId, producerEpoch))
    if (ranges === undefined) return false
    return ranges.some(
      ({ firstOffset, lastOffset }) => firstOffset <= baseOffset && baseOffset <= lastOffset,
    )
  }

  /** Forgets aborted ranges below `startOffset`, where no records are left. */
  trim(startOffset: number): void {
    for (const [key, ranges] of this.#aborted) {
      const kept = ranges.filter(({ lastOffset }) => lastOffset >= startOffset)
      if (kept.length === 0) this.#aborted.delete(key)
      else this.#aborted.set(key, kept)
    }
  }
}

/** One number for a producer id and its epoch (16 bits), so that lookups make no string. */
function keyOf(producerId: number, producerEpoch: number): number {
  return producerId * 65_536 + producerEpoch
}
