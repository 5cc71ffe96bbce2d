import { exitCode } from './exit-code.ts'
import { say } from './talk.ts'

const codes = { SIGINT: exitCode.interrupted, SIGTERM: exitCode.terminated } as const
type Signal = keyof typeof codes

/** npm and the launcher pass a terminal's Ctrl-C on to us, which had it already: one press, two signals. */
const echoMs = 150

/**
 * Lets the first Ctrl-C (or SIGTERM) end the work softly, by an abort signal; the second ends the
 * process. States: listening → draining (first signal) → the process is gone (second signal), or
 * listening → stopped.
 */
export class Interrupt {
  readonly #abort = new AbortController()
  readonly #advice: string
  #drainingSinceMs: number | undefined
  #code: number | undefined

  /** @param advice what is happening now, said after the first signal. */
  constructor(advice: string) {
    this.#advice = advice
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, this.#onSignal)
  }

  /** Fires with the first signal. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** 130 or 143 after a signal, else undefined. */
  get code(): number | undefined {
    return this.#code
  }

  /** The work is over. After a signal the process is about to end, and its echo must not kill it. */
  stop(): void {
    if (this.#drainingSinceMs !== undefined) return
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#onSignal)
  }

  readonly #onSignal = (signal: Signal): void => {
    const nowMs = performance.now()
    if (this.#drainingSinceMs === undefined) {
      this.#drainingSinceMs = nowMs
      this.#code = codes[signal]
      if (this.#advice !== '') say(`\n${this.#advice}`)
      this.#abort.abort()
    } else if (nowMs - this.#drainingSinceMs > echoMs) {
      process.exit(codes[signal])
    }
  }
}
