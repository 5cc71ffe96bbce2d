import type { Clock } from '@millrace/core/io'

/** An epoch is closed at the first of these, or when its input is drained. */
export interface EpochLimits {
  readonly durationMs: number
  readonly records: number
  readonly bytes: number
}

export const EPOCH_LIMITS: EpochLimits = {
  durationMs: 100,
  records: 50_000,
  bytes: 8 * 1024 * 1024,
}

/**
 * Limits of a stage's epoch where others of the stage are open beside it. One alone is large, so that
 * commits cost little time; of several, one is worked on while another commits, and what they hold in
 * memory adds up.
 */
export const SIDE_BY_SIDE_LIMITS: EpochLimits = {
  durationMs: 100,
  records: 16_000,
  bytes: 4 * 1024 * 1024,
}

// Looking at the clock costs as much as a small operator; a slice of this many is short enough.
const CLOCK_EVERY_RECORDS = 256

/** How full the open epoch is. */
export class Epoch {
  /** Records taken into it. */
  records = 0
  /** Bytes of input taken into it. */
  bytes = 0
  readonly #limits: EpochLimits
  readonly #clock: Clock
  #startMs = 0
  #isOver = false
  #sliceEnd = Infinity

  constructor(clock: Clock, limits: EpochLimits = EPOCH_LIMITS) {
    this.#clock = clock
    this.#limits = limits
  }

  /** It must be closed before more is taken. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** More may be taken now: it is not over, nor is its slice. */
  get takesMore(): boolean {
    return !this.#isOver && this.records < this.#sliceEnd
  }

  get isEmpty(): boolean {
    return this.records === 0
  }

  /** Milliseconds until it must be closed; never negative. */
  get remainingMs(): number {
    if (this.isEmpty) return this.#limits.durationMs
    const elapsedMs = this.#clock.monotonicMs() - this.#startMs
    return Math.max(0, this.#limits.durationMs - elapsedMs)
  }

  add(bytes: number): void {
    if (this.records === 0) this.#startMs = this.#clock.monotonicMs()
    this.records++
    this.bytes += bytes
    const { records, bytes: bytesMax } = this.#limits
    if (this.records >= records || this.bytes >= bytesMax) this.#isOver = true
    else if (this.records % CLOCK_EVERY_RECORDS === 0) this.#isOver = this.remainingMs === 0
  }

  /** Takes so many more records and then no more until the next call, so that others get a turn. */
  beginSlice(records: number): void {
    this.#sliceEnd = this.records + records
  }

  restart(): void {
    this.#sliceEnd = Infinity
    this.records = 0
    this.bytes = 0
    this.#isOver = false
  }
}
