import type { Clock, Timer } from '../io/index.ts'
import type { LogClock } from '../storage/log-clock.ts'
import type { Partition } from '../storage/partition.ts'

/** How often expired segments are looked for. */
const RETENTION_INTERVAL_MS = 30_000

/** While records are appended the log's time is kept at least this often. */
export const UNRECORDED_MS_MAX: number = 2 * RETENTION_INTERVAL_MS

/** What a {@link RetentionTimer} works on. */
export interface AgingTopics {
  readonly partitions: readonly Partition[]
  noteTime(): Promise<void>
}

/** Keeps the log's time and has every partition enforce its retention, from time to time. */
export class RetentionTimer {
  readonly #clock: Clock
  readonly #topics: AgingTopics
  readonly #time: LogClock
  #timer: Timer | undefined
  #running: Promise<void> | undefined

  constructor(clock: Clock, topics: AgingTopics, time: LogClock) {
    this.#time = time
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
    if (this.#time.takeHasStamped()) {
      await this.#topics.noteTime().catch(() => {
        // As below.
      })
    }
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
