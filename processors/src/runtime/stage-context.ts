import type { Log } from '@millrace/core'
import type { Clock } from '@millrace/core/io'
import type { CompileChain } from '../operators/chain.ts'
import type { Plan } from '../plan.ts'
import type { DurableStore, StoreSpec } from '../state/store.ts'
import type { Bounds } from './bounds.ts'
import type { ErrorPolicy } from './options.ts'
import type { StageCounters } from './progress.ts'
import type { RunControl } from './run-control.ts'
import type { Topics } from './topics.ts'
import type { Trimmer } from './trimmer.ts'

/** What all stages of a run share. */
export interface RunContext {
  readonly log: Log
  readonly logId: string
  readonly plan: Plan
  readonly compile: CompileChain
  readonly createStore: (spec: StoreSpec) => DurableStore
  readonly topics: Topics
  readonly control: RunControl
  readonly bounds: Bounds
  readonly trimmer: Trimmer
  readonly clock: Clock
  readonly onError: ErrorPolicy
  readonly final: boolean
  readonly connections: number
  readonly notice: (message: string) => void
}

/** A stage as the run drives it. */
export interface StageRun {
  readonly counters: StageCounters
  /** Takes its place: fences an older run, restores state, claims tasks. Nothing is read yet. */
  open(): Promise<void>
  /** Works until its input has ended or the run drains; everything it did is committed then. */
  run(): Promise<void>
  close(): Promise<void>
}
