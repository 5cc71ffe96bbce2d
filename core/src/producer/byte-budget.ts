/** Bytes that may wait in memory; whoever finds it full waits in line. */
export class ByteBudget {
  readonly #limitBytes: number
  #usedBytes = 0
  #waiting: (() => void)[] = []

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Whether a newcomer has to wait. */
  get isFull(): boolean {
    return this.#usedBytes >= this.#limitBytes
  }

  /** Takes what is there or not: one record may overshoot, so that a large one is not stuck forever. */
  take(bytes: number): void {
    this.#usedBytes += bytes
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes
    if (this.isFull || this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  /** Resolves when there is room. */
  async room(): Promise<void> {
    while (this.isFull) await new Promise<void>((resolve) => void this.#waiting.push(resolve))
  }
}
