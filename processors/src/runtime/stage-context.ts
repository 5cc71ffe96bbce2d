import type { Log } from '@millrace/core'
import type { Clock } from '@millrace/core/io'
import type { CompileChain } from '../operators/chain.ts'
import type { Plan } from '../plan.ts'
import type { DurableStore, StoreSpec } from '../state/store.ts'
import type { Share } from './divide-tasks.ts'
import type { ErrorPolicy } from './options.ts'
import type { StageCounters } from './progress.ts'
import type { RunControl } from './run-control.ts'
import type { Topics } from './topics.ts'

/** Where the inputs of a bounded run end. */
export interface RunBounds {
  /** Undefined: more may come. */
  endOf(topic: string, partition: number): number | undefined
  /** A stage has, or what of it runs in one thread has, committed its last epoch; `topics` are those it wrote to. */
  stageEnded(topics: readonly string[]): Promise<void>
}

/** Gives up the records of topics that only this pipeline uses, once all their readers have committed them. */
export interface RunTrimmer {
  /** The topic is used up by its readers: its start says nothing about what they have seen. */
  trims(topic: string): boolean
  /** A reader has committed everything below `offset`. */
  committed(stage: string, topic: string, partition: number, offset: number): Promise<void>
}

/** What all stages of a run share. */
export interface RunContext {
  readonly log: Log
  readonly logId: string
  readonly openings: readonly string[]
  readonly plan: Plan
  readonly compile: CompileChain
  readonly createStore: (spec: StoreSpec) => DurableStore
  readonly topics: Topics
  readonly control: RunControl
  readonly bounds: RunBounds
  readonly trimmer: RunTrimmer
  readonly clock: Clock
  readonly onError: ErrorPolicy
  /** Of each stage. */
  readonly deadLettersMax: number
  readonly final: boolean
  /** Of the run's threads, from 0. */
  readonly thread: number
  /** What runs in it. */
  readonly share: Share
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
