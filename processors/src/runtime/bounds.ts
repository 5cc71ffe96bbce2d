import type { Log } from '@millrace/core'
import type { RunControl } from './run-control.ts'
import type { RunBounds } from './stage-context.ts'

/** Offsets at which partitions end, by partition number. */
export type Ends = readonly number[]

interface BoundedTopic {
  readonly partitions: number
  /** Stages of this run that still write to it, counted once for each thread that they run in. */
  feeders: number
  ends: Ends | undefined
}

/**
 * Where a bounded run ends: at the end that each topic has once all stages that write to it have
 * ended; for a topic that nobody here writes to, at its end when the run started.
 */
export class Bounds implements RunBounds {
  readonly #log: Log
  readonly #control: RunControl
  readonly #follow: boolean
  readonly #topics = new Map<string, BoundedTopic>()
  readonly #onFixed: (topic: string, ends: Ends) => void

  /** @param onFixed called when it is known where a topic ends. */
  constructor(
    log: Log,
    control: RunControl,
    follow: boolean,
    onFixed: (topic: string, ends: Ends) => void = () => {},
  ) {
    this.#log = log
    this.#control = control
    this.#follow = follow
    this.#onFixed = onFixed
  }

  add(topic: string, partitions: number, feeders: number): void {
    this.#topics.set(topic, { partitions, feeders, ends: undefined })
  }

  /** Fixes the ends of the topics that nobody writes to. */
  async start(): Promise<void> {
    for (const [name, topic] of this.#topics) if (topic.feeders === 0) await this.#fix(name, topic)
  }

  /** A stage has committed its last epoch; `topics` are those it wrote to. */
  async stageEnded(topics: readonly string[]): Promise<void> {
    for (const name of topics) {
      const topic = this.#topics.get(name)
      if (topic === undefined) continue
      topic.feeders--
      if (topic.feeders === 0) await this.#fix(name, topic)
    }
    this.#control.wake()
  }

  /** Undefined: more may come. */
  endOf(topic: string, partition: number): number | undefined {
    return this.#topics.get(topic)?.ends?.[partition]
  }

  async #fix(name: string, topic: BoundedTopic): Promise<void> {
    if (this.#follow) return
    const found = Array.from({ length: topic.partitions }, (_, partition) =>
      this.#log.findOffset({
        topic: name,
        partition,
        at: 'latest',
        isolation: 'read_committed',
      }),
    )
    topic.ends = (await Promise.all(found)).map((position) => position.offset)
    this.#onFixed(name, topic.ends)
  }
}
