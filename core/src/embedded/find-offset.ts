import type { FindOffsetRequest } from '../log.ts'
import { checkArgument, either, having, milliseconds, oneOf, required } from '../options/index.ts'
import type { Position } from '../record.ts'
import { findByTime } from '../storage/find-by-time.ts'
import type { PartitionLog } from '../storage/partition-log.ts'

// A third of an hour ago is no whole number.
const timestampMs = required(milliseconds(0, Number.MAX_SAFE_INTEGER))
const moment = having<{ readonly timestampMs: number }>({ timestampMs })
const someAt = required(either(oneOf('earliest', 'latest'), moment))

/** The position at an end of a partition, or of the first record at or after a time. */
export async function findOffset(log: PartitionLog, request: FindOffsetRequest): Promise<Position> {
  checkArgument('findOffset', 'at', request.at, someAt)
  const isCommitted = request.isolation === 'read_committed'
  const end = isCommitted ? log.lastStableOffset : log.visibleOffset
  const offset = await findAt(log, request.at, end)
  return { offset, leaderEpoch: log.epochs.at(offset - 1) }
}

async function findAt(
  log: PartitionLog,
  at: FindOffsetRequest['at'],
  end: number,
): Promise<number> {
  if (at === 'earliest') return log.startOffset
  if (at === 'latest') return end
  return (await findByTime(log, at.timestampMs, end)) ?? end
}
