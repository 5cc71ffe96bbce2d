import { type Log, RejectedError } from '@millrace/core'
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
  for (const [stage, { state }] of await readLast(log, pipeline)) {
    if (state !== null) states.set(stage, state)
  }
  return states
}

/** Gives up the records before the first that still is the last of its stage. */
export async function forgetOldPositions(log: Log, pipeline: string): Promise<void> {
  const last = await readLast(log, pipeline)
  const first = Math.min(...Array.from(last.values(), ({ offset }) => offset))
  if (last.size > 0) await log.trim({ topic: sourcesTopic(pipeline), partition: 0 }, first)
}

interface LastRecord {
  readonly offset: number
  readonly state: SourceState | null
}

/** The last record of each stage. */
async function readLast(log: Log, pipeline: string): Promise<Map<string, LastRecord>> {
  for (;;) {
    try {
      return await readOnce(log, pipeline)
    } catch (error) {
      // Race: (1) one source's stage begins to read, (2) another's gives up the records before the last.
      if (!(error instanceof RejectedError) || error.code !== 'OFFSET_OUT_OF_RANGE') throw error
    }
  }
}

async function readOnce(log: Log, pipeline: string): Promise<Map<string, LastRecord>> {
  const last = new Map<string, LastRecord>()
  await readToEnd(log, sourcesTopic(pipeline), 0, (cursor) => {
    const { key, value, offset } = cursor
    if (key === null) return
    const text = value === null ? 'null' : Buffer.from(value).toString()
    last.set(Buffer.from(key).toString(), { offset, state: JSON.parse(text) as SourceState | null })
  })
  return last
}
