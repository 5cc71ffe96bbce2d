import { RejectedError, UsageError } from '../errors.ts'
import type { StoredPosition } from '../log.ts'
import type { Position } from '../record.ts'
import type { Partition } from '../storage/partition.ts'
import type { PartitionLog } from '../storage/partition-log.ts'

/**
 * Says why `position` cannot be a place that this log once gave out; `undefined` when it can.
 * The record before it must still be of the epoch that the position names (KIP-320).
 */
export function findDivergence(log: PartitionLog, position: Position): string | undefined {
  const { offset, leaderEpoch } = position
  if (leaderEpoch < 0 || offset <= 0) return undefined
  const epoch = log.epochs.at(offset - 1)
  if (offset > log.endOffset) return `the partition ends at ${log.endOffset}`
  // Before the first epoch on record (−1) nothing can be said.
  if (epoch !== leaderEpoch && epoch >= 0) {
    return `the record before it was written in epoch ${epoch}, not ${leaderEpoch}`
  }
  return undefined
}

/** The error for a position that points into another past than this log's. */
export function diverged(log: PartitionLog, position: Position, why: string): RejectedError {
  return new RejectedError(
    'POSITION_DIVERGED',
    `Position ${position.offset} (epoch ${position.leaderEpoch}) in partition ${log.partition} of topic ${log.topic} does not ` +
      `belong to this log: ${why}. Records read before were lost or the topic was recreated; reset the position on purpose.`,
    { facts: { topic: log.topic, partition: log.partition, ...position } },
  )
}

/** Checks that `stored` may outlive a crash. @throws RejectedError POSITION_DIVERGED; UsageError USAGE. */
export function checkPosition(partition: Partition, stored: StoredPosition): void {
  const { log, config } = partition
  if (stored.topicId !== log.topicId) {
    throw diverged(log, stored.position, `the topic's id is ${log.topicId}, not ${stored.topicId}`)
  }
  if (config.durability === 'memory') {
    throw new UsageError(
      'USAGE',
      `Topic ${log.topic} has durability "memory", so its records may vanish: no position in it can be stored. ` +
        `Use durability "os" or "fsync" for a topic that groups read.`,
      { facts: { topic: log.topic } },
    )
  }
  if (Buffer.byteLength(stored.metadata ?? '') > 4096) {
    throw new UsageError('USAGE', 'The metadata of a position is longer than 4 KiB.')
  }
  const why = findDivergence(log, stored.position)
  if (why !== undefined) throw diverged(log, stored.position, why)
  if (stored.position.offset > log.endOffset) {
    throw diverged(log, stored.position, `the partition ends at ${log.endOffset}`)
  }
}
