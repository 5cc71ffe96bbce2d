import type { Log } from '@millrace/core'
import type { Clock } from '@millrace/core/io'
import type { Progress, StageProgress } from './progress.ts'

/** What becomes of a record that cannot be read, that a callback threw on, or that a sink refused. */
export type ErrorPolicy =
  /** The run stops before the record; the next run starts at it. */
  | 'fail'
  /** The record is counted, reported and passed over. */
  | 'skip'
  /** As `skip`, and it is kept in the topic `<pipeline>-dead-letters` with its cause. */
  | 'dead-letter'

/** How to run a pipeline. */
export interface RunOptions {
  /** Stays open when the run ends. */
  readonly log: Log
  /** Ends the run softly: epochs are finished and committed, claims are given back. */
  readonly signal?: AbortSignal
  /** Go on after the end of what is there now, until the signal. Default false. */
  readonly follow?: boolean
  /** Close the windows still open when a bounded run ends. Default false: they go on with the next run. */
  readonly final?: boolean
  /** Default `fail`. */
  readonly onError?: ErrorPolicy
  /**
   * With `dead-letter`: the run ends with TOO_MANY_DEAD_LETTERS before a stage (in one thread) writes more of
   * them than this. Default: no limit.
   */
  readonly deadLettersMax?: number
  /** Connections of each sink; tasks share them. Default 2. */
  readonly connections?: number
  /**
   * Worker threads among which the stages' tasks are divided, so that several cores work. Default 1: all
   * in this thread. Each thread imports {@link RunOptions.script} again; open the log with
   * `thread: true`, so that it answers whatever this thread does.
   */
  readonly threads?: number
  /** The file whose default export is this pipeline (`import.meta.url`); needed with `threads`. */
  readonly script?: string | URL
  /** Called a few times a second and once at the end. */
  readonly onProgress?: (progress: Progress) => void
  /** What a person should know, such as a sink that reconnects. */
  readonly onNotice?: (message: string) => void
  /** Default: the machine's clock. */
  readonly clock?: Clock
}

/** What a run did. */
export interface RunResult {
  readonly pipeline: string
  /** The signal ended it; what was not done yet is done by the next run. */
  readonly interrupted: boolean
  readonly elapsedMs: number
  readonly stages: readonly StageProgress[]
  /** Records too late for their window, since the pipeline's first run. */
  readonly late: number
  /** Records passed over in this run, dead letters included; never silently. */
  readonly skipped: number
  /** Records that went to the dead-letter topic in this run. */
  readonly deadLetters: number
}
