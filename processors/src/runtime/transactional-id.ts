import type { Log } from '@millrace/core'
import type { Plan } from '../plan.ts'

/**
 * Under which a thread's tasks of one stage commit together. The first thread's is that of a run without
 * threads; `#` occurs in no name, so that no two stages can share one.
 */
export function transactionalId(pipeline: string, stage: string, thread: number): string {
  return thread === 0 ? `${pipeline}-${stage}` : `${pipeline}-${stage}#${thread}`
}

/**
 * Fences the threads of the last run and aborts what they left open. A run divided otherwise would not
 * use all of their ids itself, and an open transaction holds back the readers of its topics.
 *
 * @param formerThreads of the last run; with 1 then and now, opening the stages does all this.
 */
export async function fenceFormerThreads(
  log: Log,
  plan: Plan,
  formerThreads: number,
  threads: number,
): Promise<void> {
  if (formerThreads === 1 && threads === 1) return
  const writing = plan.stages.filter(({ kind }) => kind !== 'deliver')
  const ids = writing.flatMap(({ id }) =>
    Array.from({ length: formerThreads }, (_, thread) =>
      transactionalId(plan.pipeline, id, thread),
    ),
  )
  await Promise.all(ids.map((id) => log.initProducer({ transactionalId: id })))
}
