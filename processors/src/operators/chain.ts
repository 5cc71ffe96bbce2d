import type { StageInput, StageNode } from '../plan.ts'
import type { TaskContext } from './operator.ts'
import type { StreamRecord } from './record.ts'

/** The operators of one stage in one task, compiled to RxJS. */
export interface Chain {
  /** Feeds a record of an input (by {@link StageInput.id}); outputs come by `TaskContext.emit`. @throws what `TaskContext.failed` throws. */
  push(input: string, record: StreamRecord): void
  /** Resolves when everything pushed has left: asynchronous operators are idle, buffers are flushed. Ends an epoch. */
  drain(): Promise<void>
  /**
   * Emits what is held back until more input comes (open windows of `final` aggregates);
   * `close: true` ends them for good, `false` shows them as early results. Call before `drain`.
   */
  flushWindows(options: { readonly close: boolean }): void
  /** Drops what is running. */
  close(): void
}

/** Builds the chain of one task of a stage. */
export type CompileChain = (
  nodes: readonly StageNode[],
  inputs: readonly StageInput[],
  task: TaskContext,
) => Chain
