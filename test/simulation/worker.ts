import { runLives } from './lives.ts'
import { plant } from './plant.ts'

/** What a worker process is asked to do. */
export interface WorkerRequest {
  readonly firstSeed: number
  readonly count: number
  readonly step: number
  readonly failuresMax: number
  /** Name of a planted bug. */
  readonly bug?: string
}

process.once('message', (request: WorkerRequest) => {
  void serve(request)
})

async function serve({ firstSeed, count, step, failuresMax, bug }: WorkerRequest): Promise<void> {
  if (bug !== undefined) plant(bug)
  const announce = (seed: number): void => void process.send?.({ seed })
  process.send?.(await runLives(firstSeed, count, step, failuresMax, announce))
  process.disconnect()
}
