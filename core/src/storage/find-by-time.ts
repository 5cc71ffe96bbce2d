import { BatchReader } from '../batch/batch-reader.ts'
import type { PartitionLog } from './partition-log.ts'
import { readBatches } from './read-batches.ts'

const READ_BYTES = 256 * 1024

/** Offset of the first record at or after a time, below `limitOffset`; `undefined` when there is none. */
export async function findByTime(
  log: PartitionLog,
  timestampMs: number,
  limitOffset: number,
): Promise<number | undefined> {
  const segment = log.segments.find((candidate) => candidate.maxTimestampMs >= timestampMs)
  if (segment === undefined) return undefined
  const near = segment.baseOffset + segment.times.floor(timestampMs)
  let offset = Math.max(near, log.startOffset)
  while (offset < limitOffset) {
    const { batches, nextOffset } = await readBatches(log, {
      offset,
      limitOffset,
      maxBytes: READ_BYTES,
      leaveOutAborted: false,
    })
    const reader = new BatchReader(batches, { fromOffset: offset })
    while (reader.next()) if (reader.timestampMs >= timestampMs) return reader.offset
    if (nextOffset === offset) return undefined
    offset = nextOffset
  }
  return undefined
}
