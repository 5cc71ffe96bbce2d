import type { Log } from '@millrace/core'
import type { Json } from '../json.ts'
import { readToEnd } from './compacted-topic.ts'
import { sourcesTopic } from './topics.ts'

/** What a source's stage commits with its records, under its stage id. */
export interface SourceState {
  readonly position: Json
  /** Rows of the source up to there. */
  readonly rows: number
  /** A bounded source has come to its end there. */
  readonly ended: boolean
}

/** The committed state of each source of a pipeline, by stage id. */
export async function readSourcePositions(
  log: Log,
  pipeline: string,
): Promise<ReadonlyMap<string, SourceState>> {
  const states = new Map<string, SourceState>()
  await readToEnd(log, sourcesTopic(pipeline), 0, (cursor) => {
    const { key, value } = cursor
    if (key === null) return
    const stage = Buffer.from(key).toString()
    if (value === null) states.delete(stage)
    else states.set(stage, JSON.parse(Buffer.from(value).toString()) as SourceState)
  })
  return states
}
