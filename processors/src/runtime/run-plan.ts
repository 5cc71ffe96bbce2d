import { invariant } from '@millrace/core/internal'
import { nodeClock } from '@millrace/core/io'
import type { CompileChain } from '../operators/chain.ts'
import type { Plan } from '../plan.ts'
import type { DurableStore, StoreSpec } from '../state/store.ts'
import type { RunOptions, RunResult } from './options.ts'
import { patientLog } from './patient-log.ts'
import { prepareRun, resultOf } from './prepare-run.ts'
import { ProgressReporter } from './progress.ts'
import type { RunContext } from './stage-context.ts'
import { makeStage, runStage } from './stage-runs.ts'
import { Trimmer } from './trimmer.ts'

/** What a plan's steps are made alive with. */
export interface PlanParts {
  readonly compile: CompileChain
  readonly createStore: (spec: StoreSpec) => DurableStore
}

/** Runs all stages of a plan in this thread; see `run`. */
export async function runPlan(
  plan: Plan,
  parts: PlanParts,
  options: RunOptions,
): Promise<RunResult> {
  const { control, shares, ...prepared } = await prepareRun(plan, options)
  const [share] = shares
  invariant(share !== undefined, 'a run was divided among no threads')
  const { clock = nodeClock, onNotice: notice = () => {} } = options
  const log = patientLog(options.log, { clock, signal: control.abort, notice })
  const context: RunContext = {
    ...prepared,
    ...parts,
    log,
    plan,
    control,
    share,
    thread: 0,
    trimmer: new Trimmer(log, plan),
    clock,
    onError: options.onError ?? 'fail',
    deadLettersMax: options.deadLettersMax ?? Infinity,
    final: options.final ?? false,
    notice,
  }
  const stages = plan.stages.map((stage) => makeStage(context, stage))
  const reporter = new ProgressReporter(
    plan.pipeline,
    stages.map((stage) => stage.counters),
    context.clock,
    options.onProgress,
  )
  try {
    for (const stage of stages) if (!control.draining) await stage.open()
    // Who was interrupted before all were open has nothing in flight.
    if (!control.draining) await Promise.all(stages.map((stage) => runStage(stage, control)))
  } catch (error) {
    control.fail(error)
  } finally {
    for (const stage of stages) await stage.close().catch((error) => control.fail(error))
  }
  const last = reporter.end()
  control.finish()
  return resultOf(plan, control, reporter.elapsedMs, last)
}
