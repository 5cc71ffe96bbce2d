import type { RunControl } from './run-control.ts'

/**
 * What is done to topics after commits and holds up none of them, such as trims: one thing after the
 * other, and all of it before the run ends, when its log may be closed and its topics deleted. What
 * fails ends the run.
 */
export class Upkeep {
  readonly #control: Pick<RunControl, 'fail'>
  #last: Promise<void> = Promise.resolve()

  constructor(control: Pick<RunControl, 'fail'>) {
    this.#control = control
  }

  /** After a failure nothing more is begun. */
  add(work: () => Promise<void>): void {
    this.#last = this.#last.then(work)
    this.#last.catch((error: unknown) => this.#control.fail(error))
  }

  /** Nothing is under way any more. */
  async finish(): Promise<void> {
    await this.#last.catch(() => {})
  }
}
