import { compileChain } from '../operators/chain.ts'
import type { Pipeline } from '../pipeline.ts'
import { MemoryStore } from '../state/memory-store.ts'
import type { RunOptions, RunResult } from './options.ts'
import { runPlan } from './run-plan.ts'

/**
 * Runs a pipeline on a log: creates its topics, goes on exactly where the last run was committed, and
 * ends when its bounded inputs have passed through all stages (never, with `follow` or an unbounded
 * source) or when the signal fires.
 *
 * @throws UsageError when it can't run as described; nothing happened.
 * @throws RejectedError naming operator and record, when a record fails and the policy is `fail`.
 * @throws FencedError somebody else runs this pipeline now.
 *
 * However it ends, what it committed is committed once: records, state and positions of an epoch
 * together, rows and their position in a sink together. The next run goes on from there.
 */
export function run(pipeline: Pipeline, options: RunOptions): Promise<RunResult> {
  const createStore = ({ name }: { readonly name: string }) => new MemoryStore(name)
  return runPlan(pipeline.plan, { compile: compileChain, createStore }, options)
}
