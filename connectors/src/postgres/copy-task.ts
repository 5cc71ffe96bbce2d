import type { Json, SinkTask } from '@millrace/processors'
import type { Session } from './session.ts'
import type { Target } from './target.ts'

/**
 * Writes within a task's transaction; resolves with the position to store with what was written. It
 * may be called again, with nothing of the last call left: after a lost connection in the same round,
 * after refused data in round 0, or after it resolved with undefined, in the next round.
 */
export type CopyWork = (session: Session, round: number) => Promise<Json | undefined>

/** A task that lets its caller write in its own way, which bulk loads do faster than by rows. */
export interface CopyTask extends SinkTask {
  readonly target: Target
  /** As {@link SinkTask.write}: resolves once what was written and the position are durable, together. */
  transact(work: CopyWork): Promise<void>
}

/** Does this task let its caller write? */
export function isCopyTask(task: SinkTask): task is CopyTask {
  return 'transact' in task && 'target' in task
}
