/** Time, and waiting for it. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970; may jump. */
  nowMs(): number
  /** Monotonic milliseconds from an arbitrary start; for time-outs and durations. */
  monotonicMs(): number
  /**
   * Calls back once after `delayMs` of monotonic time. A `background` call does not keep the process
   * running when nothing else is left to do.
   */
  schedule(delayMs: number, callback: () => void, urgency?: 'background'): Timer
  /** The present run of the machine; absent or undefined where the system does not tell. */
  readonly boot?: () => Boot | undefined
}

/** A run of the machine, from its start to its end. */
export interface Boot {
  readonly id: string
  /** Milliseconds since the machine started, time asleep included; no setting of the clock changes it. */
  readonly elapsedMs: number
}

/** A pending call of {@link Clock.schedule}. */
export interface Timer {
  /** Prevents the call if it has not happened yet. */
  cancel(): void
}

/** Resolves after `delayMs` of this clock's monotonic time. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.schedule(delayMs, resolve))
}
