import type { SeededRandom } from './seeded-random.ts'

interface Completion {
  readonly run: () => void
  /** Whose input or output it is. */
  readonly process: object
  /** Other completions that go first while this one is held back. */
  delay: number
}

/**
 * Decides in which order input and output finish. Completions wait here and are run one by one, in
 * an order drawn from the seed, a few microtasks apart, so that the code under test may start more
 * work in between. No real time passes.
 */
export class Scheduler {
  readonly #random: SeededRandom
  #waiting: Completion[] = []
  #pumping = false
  /** Completions run so far. */
  steps = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** Runs `run` later; `delay` holds it back until about that many others have gone first. */
  defer(process: object, run: () => void, delay = 0): void {
    this.#waiting.push({ process, run, delay })
    if (this.#pumping) return
    this.#pumping = true
    this.#afterPause()
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0
  }

  /** Drops everything that a process waits for, as its end does. */
  forget(process: object): void {
    this.#waiting = this.#waiting.filter((completion) => completion.process !== process)
  }

  #afterPause(): void {
    let pause = 1 + this.#random.integer(6)
    const tick = (): void => {
      pause -= 1
      if (pause > 0) queueMicrotask(tick)
      else this.#runOne()
    }
    queueMicrotask(tick)
  }

  #runOne(): void {
    const completion = this.#take()
    if (completion !== undefined) {
      this.steps += 1
      completion.run()
    }
    if (this.#waiting.length > 0) this.#afterPause()
    else this.#pumping = false
  }

  #take(): Completion | undefined {
    const waiting = this.#waiting
    if (waiting.length === 0) return undefined
    let index = waiting.length === 1 ? 0 : this.#random.integer(waiting.length)
    for (let tries = waiting.length; tries > 0; tries -= 1) {
      const candidate = waiting[index] as Completion
      if (candidate.delay <= 0) break
      candidate.delay -= 1
      index = (index + 1) % waiting.length
    }
    const taken = waiting[index] as Completion
    const last = waiting.pop() as Completion
    if (taken !== last) waiting[index] = last
    return taken
  }
}
