import { runLives } from './lives.ts'
import { loadEdited } from './plant.ts'
import { plantedBugs } from './planted-bugs.ts'
import { smallLimits } from './small-limits.ts'

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
  const planted = plantedBugs.filter(({ name }) => name === bug)
  if (bug !== undefined && planted.length === 0) throw new Error(`there is no planted bug ${bug}`)
  loadEdited([...smallLimits, ...planted])
  const announce = (seed: number): void => void process.send?.({ seed })
  process.send?.(await runLives(firstSeed, count, step, failuresMax, announce))
  process.disconnect()
}
