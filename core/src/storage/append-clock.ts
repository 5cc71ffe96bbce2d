import type { Clock } from '../io/index.ts'

/**
 * Time as retention takes it: a wall clock that is set forward or back must never make records expire
 * early. A clock that runs steadily since the partition was opened is asked too, and the answer is
 * whichever keeps records longer.
 */
export class AppendClock {
  readonly #clock: Clock
  readonly #openedMs: number
  readonly #openedMonotonicMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#openedMs = clock.nowMs()
    this.#openedMonotonicMs = clock.monotonicMs()
  }

  /** The latest that now can be: what an append is stamped with. */
  latestMs(): number {
    return Math.max(this.#clock.nowMs(), this.#steadyMs())
  }

  /** The earliest that now can be: what the age of an append is reckoned from. */
  earliestMs(): number {
    return Math.min(this.#clock.nowMs(), this.#steadyMs())
  }

  #steadyMs(): number {
    const elapsedMs = this.#clock.monotonicMs() - this.#openedMonotonicMs
    return this.#openedMs + Math.floor(elapsedMs)
  }
}
