/** A moment at which a life ends: the n-th time (from 1) that a step of this name is at this phase. */
export interface CrashPoint {
  /** Such as `disk sync segment`, `log endTransaction` or `sql COMMIT`. */
  readonly step: string
  readonly occurrence: number
  /** `sent`: handed to the kernel, no answer read yet; only SQL has it. */
  readonly phase: Phase
}

export type Phase = 'before' | 'sent' | 'after'

/** Counts the steps of a life, and ends the process by SIGKILL at the one it was given. */
export class Failpoints {
  /** How often each step has begun. */
  readonly counts = new Map<string, number>()
  readonly #point: CrashPoint | undefined
  readonly #onDone: (step: string) => void

  /** @param onDone told the name of each asynchronous step that has succeeded. */
  constructor(point: CrashPoint | undefined, onDone: (step: string) => void = () => {}) {
    this.#point = point
    this.#onDone = onDone
  }

  /** A step begins; resolves to the occurrence that its other phases are told by. */
  begin(step: string): number {
    const occurrence = (this.counts.get(step) ?? 0) + 1
    this.counts.set(step, occurrence)
    this.reach(step, occurrence, 'before')
    return occurrence
  }

  reach(step: string, occurrence: number, phase: Phase): void {
    const point = this.#point
    if (point?.step !== step || point.occurrence !== occurrence || point.phase !== phase) return
    process.kill(process.pid, 'SIGKILL')
    // The signal is on its way; nothing more may happen until it arrives.
    for (;;);
  }

  /** Wraps a step that is one asynchronous call. */
  async around<T>(step: string, call: () => Promise<T>): Promise<T> {
    const occurrence = this.begin(step)
    const result = await call()
    this.reach(step, occurrence, 'after')
    this.#onDone(step)
    return result
  }
}
