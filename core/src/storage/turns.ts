/** Lets only so many things happen at once; the others wait in line. */
export class Turns {
  #left: number
  readonly #waiting: (() => void)[] = []

  constructor(atOnce: number) {
    this.#left = atOnce
  }

  /** Runs `run` when it is its turn. */
  async take<Result>(run: () => Promise<Result>): Promise<Result> {
    if (this.#left > 0) this.#left--
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve))
    try {
      return await run()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#left++
      else next()
    }
  }
}
