import type { DeliverStage } from '../plan.ts'
import { DeliverLane } from './deliver-lane.ts'
import { StageCounters } from './progress.ts'
import type { RunContext, StageRun } from './stage-context.ts'

/** Topic → sink: a task per partition, each committed in the sink; the tasks of a group share a lane. */
export class DeliverRun implements StageRun {
  readonly counters: StageCounters
  readonly #context: RunContext
  readonly #stage: DeliverStage
  readonly #lanes: DeliverLane[] = []

  constructor(context: RunContext, stage: DeliverStage) {
    this.#context = context
    this.#stage = stage
    this.counters = new StageCounters(stage.id, 'deliver')
  }

  async open(): Promise<void> {
    const topic = this.#stage.input.topic.name
    for (const partitions of this.#context.share.get(this.#stage.id) ?? []) {
      const onCommitted = () => this.#countRowsLeft()
      const { counters } = this
      const lane = new DeliverLane(this.#context, this.#stage, counters, partitions, onCommitted)
      this.#lanes.push(lane)
      await lane.open((partition) => `${topic}-${partition}`)
    }
    this.#countRowsLeft()
  }

  async run(): Promise<void> {
    this.counters.state = 'running'
    const ended = await Promise.all(this.#lanes.map((lane) => lane.run()))
    this.#context.control.abort.throwIfAborted()
    if (ended.every(Boolean)) this.counters.state = 'ended'
  }

  async close(): Promise<void> {
    for (const lane of this.#lanes) await lane.close()
  }

  #countRowsLeft(): void {
    this.counters.rowsLeft = this.#lanes.reduce((sum, lane) => sum + lane.lag, 0)
  }
}
