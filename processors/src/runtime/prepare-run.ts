import { nodeClock } from '@millrace/core/io'
import type { Plan } from '../plan.ts'
import { Bounds, type Ends } from './bounds.ts'
import { checkTopology } from './compatibility.ts'
import { divideTasks, type Share } from './divide-tasks.ts'
import type { RunOptions, RunResult } from './options.ts'
import type { StageProgress } from './progress.ts'
import { RunControl } from './run-control.ts'
import { outputTopics, prepareTopics, type Topics } from './topics.ts'

/** A run before its stages begin, however many threads they are for. */
export interface PreparedRun {
  readonly control: RunControl
  readonly logId: string
  readonly openings: readonly string[]
  readonly topics: Topics
  /** One a thread. */
  readonly shares: readonly Share[]
  readonly bounds: Bounds
}

const CONNECTIONS = 2

/**
 * Creates topics, checks them and the topology against the last run, divides the tasks among threads and
 * fixes the ends of inputs.
 *
 * @param onFixed called for each topic when it is known where it ends.
 * @throws UsageError when the pipeline can't run as described; nothing was processed.
 */
export async function prepareRun(
  plan: Plan,
  options: RunOptions,
  onFixed?: (topic: string, ends: Ends) => void,
): Promise<PreparedRun> {
  const { log, threads = 1, connections = CONNECTIONS, follow = false } = options
  const control = new RunControl(options.signal, options.clock ?? nodeClock)
  const topics = await prepareTopics(log, plan, options.onError === 'dead-letter')
  await checkTopology(log, plan, topics, threads)
  const { logId, openings = [] } = await log.describe()
  const shares = divideTasks(plan, topics, { threads, connections })
  const bounds = new Bounds(log, control, follow, onFixed)
  for (const [name, topic] of topics) {
    bounds.add(name, topic.partitions.length, feedersOf(plan, shares, name))
  }
  await bounds.start()
  return { control, logId, openings, topics, shares, bounds }
}

/** Stages that write to a topic, counted once for each thread that they run in. */
function feedersOf(plan: Plan, shares: readonly Share[], topic: string): number {
  const feeding = plan.stages.filter((stage) => outputTopics(stage).includes(topic))
  return feeding.reduce((sum, { id }) => sum + shares.filter((share) => share.has(id)).length, 0)
}

/** What to tell of a run that has ended. */
export function resultOf(
  plan: Plan,
  control: RunControl,
  elapsedMs: number,
  stages: readonly StageProgress[],
): RunResult {
  const sum = (field: 'late' | 'skipped' | 'deadLetters') =>
    stages.reduce((total, stage) => total + stage[field], 0)
  return {
    pipeline: plan.pipeline,
    interrupted: control.interrupted,
    elapsedMs,
    stages,
    late: sum('late'),
    skipped: sum('skipped'),
    deadLetters: sum('deadLetters'),
  }
}
