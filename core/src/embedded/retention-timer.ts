import type { Clock, Timer } from '../io/index.ts'
import type { Partition } from '../storage/partition.ts'

/** How often expired segments are looked for. */
const RETENTION_INTERVAL_MS = 30_000

/** Has every partition enforce its retention from time to time, one after the other. */
export class RetentionTimer {
  readonly #clock: Clock
  readonly #topics: { readonly partitions: readonly Partition[] }
  #timer: Timer | undefined
  #running: Promise<void> | undefined

  constructor(clock: Clock, topics: { readonly partitions: readonly Partition[] }) {
    this.#clock = clock
    this.#topics = topics
    this.#schedule()
  }

  /** Resolves once a round that is running has ended; none follows. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    await this.#running
  }

  #schedule(): void {
    const enforce = (): void => void (this.#running = this.#enforce())
    this.#timer = this.#clock.schedule(RETENTION_INTERVAL_MS, enforce, 'background')
  }

  async #enforce(): Promise<void> {
    for (const partition of this.#topics.partitions) {
      if (this.#timer === undefined) return
      try {
        await partition.enforceRetention()
      } catch {
        // The disk failed or is full: writers are told so, and the next round tries again.
      }
    }
    if (this.#timer !== undefined) this.#schedule()
  }
}
