import type { Log } from '@millrace/core'
import type { Plan } from '../plan.ts'
import type { RunTrimmer } from './stage-context.ts'
import { inputTopics } from './topics.ts'

// Only whole segments are given up, so that asking more often would free nothing.
const TRIM_EVERY_RECORDS = 50_000

interface Partition {
  /** Committed offset of each stage that reads it. */
  readonly committed: Map<string, number>
  trimmedTo: number
}

/** Gives up the records of topics that only this pipeline uses, once all their readers have committed them. */
export class Trimmer implements RunTrimmer {
  readonly #log: Log
  readonly #readers = new Map<string, string[]>()
  readonly #partitions = new Map<string, Partition>()

  constructor(log: Log, plan: Plan) {
    this.#log = log
    for (const { topic, purpose } of plan.internalTopics) {
      if (purpose === 'changelog') continue
      const readers = plan.stages.filter((stage) => inputTopics(stage).includes(topic.name))
      const names = readers.map((stage) => stage.id)
      this.#readers.set(topic.name, names)
    }
  }

  /** The topic is used up by its readers: its start says nothing about what they have seen. */
  trims(topic: string): boolean {
    return this.#readers.has(topic)
  }

  /** A reader has committed everything below `offset`. */
  async committed(stage: string, topic: string, partition: number, offset: number): Promise<void> {
    const readers = this.#readers.get(topic)
    if (readers === undefined) return
    const id = `${topic}-${partition}`
    const state = this.#partitions.get(id) ?? { committed: new Map(), trimmedTo: 0 }
    this.#partitions.set(id, state)
    state.committed.set(stage, offset)
    const below = Math.min(...readers.map((reader) => state.committed.get(reader) ?? 0))
    if (below - state.trimmedTo < TRIM_EVERY_RECORDS) return
    state.trimmedTo = below
    await this.#log.trim({ topic, partition }, below)
  }
}
