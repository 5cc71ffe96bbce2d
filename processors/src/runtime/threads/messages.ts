import type { CarriedError } from '@millrace/core/internal'
import type { MessagePort } from '@millrace/core/io'
import type { Ends } from '../bounds.ts'
import type { Share } from '../divide-tasks.ts'
import type { ErrorPolicy } from '../options.ts'
import type { StageProgress } from '../progress.ts'
import type { Topics } from '../topics.ts'

/** What a thread is started with. */
export interface StageThreadData {
  /** URL of the file whose default export is the pipeline. */
  readonly script: string
  /** Of the pipeline as the starting thread knows it. */
  readonly outline: string
  readonly logPort: MessagePort
  readonly logId: string
  readonly openings: readonly string[]
  readonly topics: Topics
  readonly ends: ReadonlyMap<string, Ends>
  readonly thread: number
  readonly share: Share
  readonly onError: ErrorPolicy
  readonly deadLettersMax: number
  readonly final: boolean
}

/** From the run to its threads. */
export type Order =
  /** Answered by `opened` or `refused`. */
  | { readonly open: string }
  /** Answered by `ended`. */
  | { readonly run: true }
  /** Without having run. Answered by `ended`. */
  | { readonly close: true }
  | { readonly topic: string; readonly ends: Ends }
  | { readonly drain: true }
  | { readonly abort: CarriedError }

/** From a thread to the run. */
export type Report =
  | { readonly ready: true }
  | { readonly opened: string }
  | { readonly refused: CarriedError }
  | { readonly progress: readonly StageProgress[] }
  | { readonly notice: string }
  | { readonly stageEnded: readonly string[] }
  | { readonly committed: Committed }
  /** It drains now. */
  | { readonly failed: CarriedError }
  /** All its stages are closed; the last progress. */
  | { readonly ended: readonly StageProgress[] }

/** A stage has done with the records below `offset`. */
export interface Committed {
  readonly stage: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
}
