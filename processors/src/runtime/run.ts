import { UsageError } from '@millrace/core'
import { checkRun } from './check-run.ts'
import { compileChain } from '../operators/chain.ts'
import type { Pipeline } from '../pipeline.ts'
import { MemoryStore } from '../state/memory-store.ts'
import type { RunOptions, RunResult } from './options.ts'
import { runPlan } from './run-plan.ts'
import { thisThread } from './threads/this-thread.ts'

/**
 * Runs a pipeline on a log: creates its topics, goes on exactly where the last run was committed, and
 * ends when its bounded inputs have passed through all stages (never, with `follow` or an unbounded
 * source) or when the signal fires.
 *
 * @throws UsageError when it can't run as described; nothing happened.
 * @throws RejectedError naming operator and record, when a record fails and the policy is `fail`.
 * @throws FencedError somebody else runs this pipeline now.
 * @throws FailedError THREAD_FAILED a thread of the run ended by something that no policy is for.
 *
 * However it ends, what it committed is committed once: records, state and positions of an epoch
 * together, rows and their position in a sink together. The next run goes on from there.
 */
export async function run(pipeline: Pipeline, options: RunOptions): Promise<RunResult> {
  checkRun(pipeline, options)
  if (thisThread.runsStages) throw startedByImport(pipeline)
  if ((options.threads ?? 1) > 1) {
    const { runInThreads } = await import('./threads/run-in-threads.ts')
    return runInThreads(pipeline, options)
  }
  const createStore = ({ name }: { readonly name: string }) => new MemoryStore(name)
  return runPlan(pipeline.plan, { compile: compileChain, createStore }, options)
}

function startedByImport({ name }: Pipeline): UsageError {
  return new UsageError(
    'USAGE',
    `Importing the script started a run of "${name}", and each thread of a run imports it again. Start it ` +
      'only where the script is the entry: if (import.meta.main) await run(…).',
  )
}
