import type { Log, StoredPosition } from '@millrace/core'
import type { Clock } from '@millrace/core/io'

const REPORT_EVERY_MS = 1000

/**
 * Copies the positions that sinks store to a group of the log, where lag is looked for. They may come
 * late, and nothing is read from them: the sink's own position is the truth.
 */
export class PositionReporter {
  readonly #log: Log
  readonly #group: string
  readonly #clock: Clock
  readonly #latest = new Map<string, StoredPosition>()
  #reportedMs: number
  #reporting: Promise<void> | undefined

  constructor(log: Log, group: string, clock: Clock) {
    this.#log = log
    this.#group = group
    this.#clock = clock
    this.#reportedMs = clock.monotonicMs()
  }

  /** @throws what the report before this one met. */
  async report(position: StoredPosition): Promise<void> {
    this.#latest.set(`${position.topic}-${position.partition}`, position)
    if (this.#clock.monotonicMs() - this.#reportedMs < REPORT_EVERY_MS) return
    this.#reportedMs = this.#clock.monotonicMs()
    await this.#reporting
    this.#reporting = this.#store()
    this.#reporting.catch(() => {})
  }

  /** Stores what was not stored yet; resolves when all of it is. */
  async flush(): Promise<void> {
    await this.#reporting
    await this.#store()
  }

  async #store(): Promise<void> {
    const positions = [...this.#latest.values()]
    this.#latest.clear()
    if (positions.length > 0) await this.#log.commitPositions({ group: this.#group, positions })
  }
}
