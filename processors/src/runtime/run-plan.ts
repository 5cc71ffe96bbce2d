import { nodeClock } from '@millrace/core/io'
import type { CompileChain } from '../operators/chain.ts'
import type { Plan, Stage } from '../plan.ts'
import type { DurableStore, StoreSpec } from '../state/store.ts'
import { Bounds } from './bounds.ts'
import { checkTopology } from './compatibility.ts'
import { DeliverRun } from './deliver.ts'
import { IngestRun } from './ingest.ts'
import type { RunOptions, RunResult } from './options.ts'
import { ProcessRun } from './process.ts'
import { ProgressReporter, type StageProgress } from './progress.ts'
import { RunControl } from './run-control.ts'
import type { RunContext, StageRun } from './stage-context.ts'
import { outputTopics, prepareTopics, type Topics } from './topics.ts'
import { Trimmer } from './trimmer.ts'

/** What a plan's steps are made alive with. */
export interface PlanParts {
  readonly compile: CompileChain
  readonly createStore: (spec: StoreSpec) => DurableStore
}

const CONNECTIONS = 2

/** Runs all stages of a plan in this thread; see `run`. */
export async function runPlan(
  plan: Plan,
  parts: PlanParts,
  options: RunOptions,
): Promise<RunResult> {
  const control = new RunControl(options.signal, options.clock ?? nodeClock)
  const context = await prepare(plan, parts, options, control)
  const stages = plan.stages.map((stage) => openStage(context, stage))
  const reporter = new ProgressReporter(
    plan.pipeline,
    stages.map((stage) => stage.counters),
    context.clock,
    options.onProgress,
  )
  try {
    for (const stage of stages) if (!control.draining) await stage.open()
    await Promise.all(stages.map((stage) => runStage(stage, control)))
  } catch (error) {
    control.fail(error)
  } finally {
    for (const stage of stages) await stage.close().catch((error) => control.fail(error))
  }
  const last = reporter.end()
  control.finish()
  return resultOf(plan, control, reporter.elapsedMs, last)
}

async function prepare(
  plan: Plan,
  parts: PlanParts,
  options: RunOptions,
  control: RunControl,
): Promise<RunContext> {
  const { log } = options
  const onError = options.onError ?? 'fail'
  const topics = await prepareTopics(log, plan, onError === 'dead-letter')
  await checkTopology(log, plan, topics)
  const { logId } = await log.describe()
  return {
    log,
    logId,
    plan,
    topics,
    control,
    onError,
    ...parts,
    bounds: await boundsOf(plan, topics, options, control),
    trimmer: new Trimmer(log, plan),
    clock: options.clock ?? nodeClock,
    final: options.final ?? false,
    connections: options.connections ?? CONNECTIONS,
    notice: options.onNotice ?? (() => {}),
  }
}

async function boundsOf(
  plan: Plan,
  topics: Topics,
  { log, follow }: RunOptions,
  control: RunControl,
): Promise<Bounds> {
  const bounds = new Bounds(log, control, follow ?? false)
  for (const [name, topic] of topics) {
    const feeders = plan.stages.filter((stage) => outputTopics(stage).includes(name))
    bounds.add(name, topic.partitions.length, feeders.length)
  }
  await bounds.start()
  return bounds
}

function openStage(context: RunContext, stage: Stage): StageRun {
  switch (stage.kind) {
    case 'ingest':
      return new IngestRun(context, stage)
    case 'process':
      return new ProcessRun(context, stage)
    case 'deliver':
      return new DeliverRun(context, stage)
  }
}

async function runStage(stage: StageRun, control: RunControl): Promise<void> {
  try {
    await stage.run()
  } catch (error) {
    control.fail(error)
  }
}

function resultOf(
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
