import type { Boot, Clock, Timer } from '../io/index.ts'

interface VirtualTimer extends Timer {
  readonly dueMs: number
  readonly callback: () => void
}

/** A clock that moves only when told to, and whose wall time may jump. */
export class VirtualClock implements Clock {
  #monotonicMs = 0
  #wallOffsetMs: number
  // Ordered by due time; equal times in the order they were made.
  #timers: VirtualTimer[] = []

  readonly #bootId: string
  #bootOffsetMs: number

  /** @param startMs wall-clock time at the start, in milliseconds since 1970. */
  constructor(startMs = 1_700_000_000_000, boot: Boot = { id: 'only', elapsedMs: 0 }) {
    this.#wallOffsetMs = startMs
    this.#bootId = boot.id
    this.#bootOffsetMs = boot.elapsedMs
  }

  boot(): Boot {
    return { id: this.#bootId, elapsedMs: this.#monotonicMs + this.#bootOffsetMs }
  }

  nowMs(): number {
    return this.#monotonicMs + this.#wallOffsetMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  schedule(delayMs: number, callback: () => void): Timer {
    const timer: VirtualTimer = {
      dueMs: this.#monotonicMs + Math.max(0, delayMs),
      callback,
      cancel: () => {
        const index = this.#timers.indexOf(timer)
        if (index >= 0) this.#timers.splice(index, 1)
      },
    }
    const later = this.#timers.findIndex((other) => other.dueMs > timer.dueMs)
    if (later < 0) this.#timers.push(timer)
    else this.#timers.splice(later, 0, timer)
    return timer
  }

  /** Monotonic time of the earliest waiting timer; `undefined` when none waits. */
  get nextDueMs(): number | undefined {
    return this.#timers[0]?.dueMs
  }

  /** Lets `milliseconds` pass, calling the timers that fall due on the way, in order. */
  advance(milliseconds: number): void {
    const end = this.#monotonicMs + milliseconds
    for (;;) {
      const timer = this.#timers[0]
      if (timer === undefined || timer.dueMs > end) break
      this.#timers.shift()
      this.#monotonicMs = timer.dueMs
      timer.callback()
    }
    this.#monotonicMs = end
  }

  /** Goes to the earliest timer and calls it; false when none waits. */
  fireNext(): boolean {
    const timer = this.#timers.shift()
    if (timer === undefined) return false
    this.#monotonicMs = Math.max(this.#monotonicMs, timer.dueMs)
    timer.callback()
    return true
  }

  /** Moves the wall clock alone, as an administrator or NTP does; negative is backward. */
  jump(milliseconds: number): void {
    this.#wallOffsetMs += milliseconds
  }

  /** The machine sleeps: the wall clock goes on, the monotonic one stands still. */
  suspend(milliseconds: number): void {
    this.#wallOffsetMs += milliseconds
    this.#bootOffsetMs += milliseconds
  }

  /** Drops every timer, as the end of a process does. */
  forgetTimers(): void {
    this.#timers = []
  }
}
