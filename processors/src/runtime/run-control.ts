import { UnavailableError } from '@millrace/core'
import type { Clock, Timer } from '@millrace/core/io'

/** An interrupted run gives up what a sink or an operator has not taken by then. */
const DRAIN_TIMEOUT_MS = 30_000

/**
 * How a run ends. States: running → draining → (ended by its stages). `draining` is entered by the
 * user's signal, by the first failure, or never, when all stages come to the end of their input. A
 * draining stage finishes or aborts its epoch and returns; it starts no other. What has not ended 30
 * seconds after the signal is a failure.
 */
export class RunControl {
  /** Fires when the run begins to drain, for what waits for input. */
  readonly drain: AbortSignal
  /** Fires on failure and when a drain takes too long, for work that should not even finish. */
  readonly abort: AbortSignal
  readonly #drain = new AbortController()
  readonly #abort = new AbortController()
  readonly #waiting = new Set<() => void>()
  readonly #clock: Clock
  readonly #unlisten: () => void
  #deadline: Timer | undefined
  #interrupted = false
  #failure: { readonly error: unknown } | undefined

  constructor(signal: AbortSignal | undefined, clock: Clock) {
    this.#clock = clock
    this.drain = this.#drain.signal
    this.abort = this.#abort.signal
    const interrupt = () => this.#interrupt()
    signal?.addEventListener('abort', interrupt, { once: true })
    this.#unlisten = () => signal?.removeEventListener('abort', interrupt)
    if (signal?.aborted === true) this.#interrupt()
  }

  get draining(): boolean {
    return this.#drain.signal.aborted
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }

  get interrupted(): boolean {
    return this.#interrupted
  }

  /** Ends the run with this error; a later one is a consequence and dropped. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#abort.abort(error)
    this.#drain.abort(error)
    this.wake()
  }

  /** Lets everyone who waits look again: an input's end became known, or the run drains. */
  wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }

  /** Resolves when one of the events settles or {@link RunControl.wake} is called. */
  async waitFor(events: readonly Promise<unknown>[]): Promise<void> {
    if (this.draining) return
    let resolve: () => void = () => {}
    const woken = new Promise<void>((done) => (resolve = done))
    this.#waiting.add(resolve)
    try {
      await Promise.race([woken, ...events])
    } finally {
      this.#waiting.delete(resolve)
    }
  }

  /** @throws the failure, when there was one. */
  finish(): void {
    this.#unlisten()
    this.#deadline?.cancel()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #interrupt(): void {
    this.#interrupted = true
    this.#deadline = this.#clock.schedule(DRAIN_TIMEOUT_MS, () => this.fail(tookTooLong()))
    this.#drain.abort()
    this.wake()
  }
}

function tookTooLong(): UnavailableError {
  return new UnavailableError(
    'UNAVAILABLE',
    `What was in flight could not be finished within ${DRAIN_TIMEOUT_MS / 1000} s of the interrupt, and was ` +
      'given up. Nothing is lost: the next run goes on from the last commit.',
  )
}
