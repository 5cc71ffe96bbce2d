import type { Clock } from '../io/index.ts'

/** A moment of a log, kept in its data directory so that the next opening can go on from there. */
export interface LogMoment {
  /** By the log's own clock, milliseconds. */
  readonly logMs: number
  /** The wall clock at that moment. */
  readonly wallMs: number
  /** Which run of the machine that was, and how far into it; absent where the system does not tell. */
  readonly bootId?: string
  readonly sinceBootMs?: number
}

/**
 * Time as retention takes it. It starts as wall-clock time and from then on only counts time that has
 * passed: while the log is open by a steady clock, while it is closed by how long the machine has been
 * up, and only over a restart of the machine by the wall clock, never backward. So a wall clock that is
 * set forward or back makes no record older than it is.
 */
export class LogClock {
  readonly #clock: Clock
  readonly #openedMs: number
  readonly #openedMonotonicMs: number
  readonly #unrecordedMs: number
  #hasStamped = false

  /**
   * @param last the latest moment on record; without one the log's time begins now.
   * @param unrecordedMs how much longer the log may have been open, when it was not closed in order.
   */
  constructor(clock: Clock, last?: LogMoment, unrecordedMs = 0) {
    this.#clock = clock
    this.#openedMs = last === undefined ? clock.nowMs() : last.logMs + elapsedSince(last, clock)
    this.#openedMonotonicMs = clock.monotonicMs()
    this.#unrecordedMs = isSameBoot(last, clock) ? 0 : unrecordedMs
  }

  /** The latest that an append can have been whose time a crash has taken. */
  latestLostMs(): number {
    return this.nowMs() + this.#unrecordedMs
  }

  /** Now, as the time of an append. */
  stampMs(): number {
    this.#hasStamped = true
    return this.nowMs()
  }

  /** Whether there were appends since this was last asked. */
  takeHasStamped(): boolean {
    const hasStamped = this.#hasStamped
    this.#hasStamped = false
    return hasStamped
  }

  nowMs(): number {
    return this.#openedMs + Math.floor(this.#clock.monotonicMs() - this.#openedMonotonicMs)
  }

  /** Now, to be kept for the next opening. */
  moment(): LogMoment {
    const boot = this.#clock.boot?.()
    const moment = { logMs: this.nowMs(), wallMs: this.#clock.nowMs() }
    return boot === undefined ? moment : { ...moment, bootId: boot.id, sinceBootMs: boot.elapsedMs }
  }
}

function elapsedSince(last: LogMoment, clock: Clock): number {
  const boot = clock.boot?.()
  const elapsedMs =
    boot !== undefined && boot.id === last.bootId
      ? boot.elapsedMs - (last.sinceBootMs ?? 0)
      : clock.nowMs() - last.wallMs
  return Math.max(0, elapsedMs)
}

function isSameBoot(last: LogMoment | undefined, clock: Clock): boolean {
  const boot = clock.boot?.()
  return boot !== undefined && boot.id === last?.bootId
}
