import type { Boot, Clock } from '../io/index.ts'

/**
 * A wall clock is believed about the time that the machine was off once the machine has been up for this
 * long: one that is wrong at the start is mostly set right by then.
 */
const CONFIRMED_AFTER_MS = 3_600_000

/** A moment of a log, kept in its data directory so that the next opening can go on from there. */
export interface LogMoment {
  /** By the log's own clock, milliseconds. */
  readonly logMs: number
  /** The wall clock at that moment; of one that was set back, as if it had not been. */
  readonly wallMs: number
  /** Which run of the machine that was, and how far into it; absent where the system does not tell. */
  readonly bootId?: string
  readonly sinceBootMs?: number
  /** How much longer the machine was off, by a wall clock that is not believed yet. */
  readonly claimedOffMs?: number
}

/**
 * Time as retention takes it. It starts as wall-clock time and from then on only counts time that has
 * passed: while the log is open by a steady clock, while it is closed by how long the machine has been
 * up, and only for the time that the machine was off by the wall clock, an hour after the start and never
 * backward. So a wall clock that is set forward or back makes no record older than it is.
 *
 * The time off is claimed (by a wall clock) → confirmed (it counts), or less when the clock is set back.
 */
export class LogClock {
  readonly #clock: Clock
  readonly #openedMonotonicMs: number
  readonly #openedWallMs: number
  readonly #recordedWallMs: number
  readonly #claimedAtOpeningMs: number
  readonly #confirmedAtMonotonicMs: number
  readonly #unrecordedMs: number
  #openedMs: number
  #claimedOffMs: number
  #hasStamped = false

  /**
   * @param last the latest moment on record; without one the log's time begins now.
   * @param unrecordedMs how much longer the log may have been open, when it was not closed in order.
   */
  constructor(clock: Clock, last?: LogMoment, unrecordedMs = 0) {
    const boot = clock.boot?.()
    const wallMs = clock.nowMs()
    const opened = goOnFrom(last, wallMs, boot)
    this.#clock = clock
    this.#openedMs = opened.logMs
    this.#openedWallMs = wallMs
    this.#recordedWallMs = opened.wallMs
    this.#claimedAtOpeningMs = opened.claimedOffMs ?? 0
    this.#claimedOffMs = this.#claimedAtOpeningMs
    this.#openedMonotonicMs = clock.monotonicMs()
    this.#confirmedAtMonotonicMs =
      this.#openedMonotonicMs + CONFIRMED_AFTER_MS - (boot?.elapsedMs ?? 0)
    this.#unrecordedMs = boot !== undefined && boot.id === last?.bootId ? 0 : unrecordedMs
  }

  /** The latest that an append can have been whose time a crash has taken. */
  latestLostMs(): number {
    return this.#latestMs() + this.#unrecordedMs
  }

  /** Now, as the time of an append: while it is not known for sure, the latest that it can be. */
  stampMs(): number {
    this.#hasStamped = true
    return this.#latestMs()
  }

  /** Whether there were appends since this was last asked. */
  takeHasStamped(): boolean {
    const hasStamped = this.#hasStamped
    this.#hasStamped = false
    return hasStamped
  }

  nowMs(): number {
    if (this.#claimedOffMs > 0) this.#confirm()
    return this.#openedMs + this.#passedMs()
  }

  /** No append can have been later than this; undefined while that is not known. */
  certainMs(): number | undefined {
    const nowMs = this.nowMs()
    return this.#claimedOffMs > 0 ? undefined : nowMs
  }

  /** Now, to be kept for the next opening. */
  moment(): LogMoment {
    const boot = this.#clock.boot?.()
    const logMs = this.nowMs()
    const wallMs = Math.max(this.#clock.nowMs(), this.#recordedWallMs + this.#passedMs())
    if (boot === undefined) return { logMs, wallMs }
    const claimed = this.#claimedOffMs > 0 ? { claimedOffMs: this.#claimedOffMs } : {}
    return { logMs, wallMs, bootId: boot.id, sinceBootMs: boot.elapsedMs, ...claimed }
  }

  #passedMs(): number {
    return Math.floor(this.#clock.monotonicMs() - this.#openedMonotonicMs)
  }

  #latestMs(): number {
    return this.nowMs() + this.#claimedOffMs
  }

  /** A wall clock set back since takes back what it claimed; one set forward claims no more. */
  #confirm(): void {
    const setMs = this.#clock.nowMs() - this.#openedWallMs - this.#passedMs()
    const claimedMs = Math.min(this.#claimedOffMs, this.#claimedAtOpeningMs + setMs)
    this.#claimedOffMs = Math.max(0, claimedMs)
    if (this.#clock.monotonicMs() < this.#confirmedAtMonotonicMs) return
    this.#openedMs += this.#claimedOffMs
    this.#claimedOffMs = 0
  }
}

function goOnFrom(
  last: LogMoment | undefined,
  wallMs: number,
  boot: Boot | undefined,
): Pick<LogMoment, 'logMs' | 'wallMs' | 'claimedOffMs'> {
  if (last === undefined) return { logMs: wallMs, wallMs }
  if (boot === undefined || last.bootId === undefined) {
    return { logMs: last.logMs + Math.max(0, wallMs - last.wallMs), wallMs }
  }
  const before = last.claimedOffMs ?? 0
  if (boot.id !== last.bootId) {
    // Since the machine started it has been up; the rest is what the wall clock says.
    const claimedMs = before + wallMs - last.wallMs - boot.elapsedMs
    return { logMs: last.logMs + boot.elapsedMs, wallMs, claimedOffMs: Math.max(0, claimedMs) }
  }
  const passedMs = Math.max(0, boot.elapsedMs - (last.sinceBootMs ?? 0))
  const expectedWallMs = last.wallMs + passedMs
  const claimedMs = Math.min(before, before + wallMs - expectedWallMs)
  return {
    logMs: last.logMs + passedMs,
    wallMs: Math.max(wallMs, expectedWallMs),
    claimedOffMs: Math.max(0, claimedMs),
  }
}
