import type { Log } from '@millrace/core'
import { readings } from './pipeline.ts'

/** The most records of a partition of the readings that their reader has not committed yet. */
export async function backlogOf(log: Log): Promise<number> {
  const { partitions } = await log.describeTopic(readings.name)
  const committed = new Map<number, number>()
  // All stages that read them are one, and so is their group.
  for (const { group } of await log.listGroups()) {
    for (const { topic, partition, position } of await log.readPositions(group)) {
      if (topic === readings.name) committed.set(partition, position.offset)
    }
  }
  const backlogs = partitions.map(
    ({ partition, highWatermark }) => highWatermark - (committed.get(partition) ?? 0),
  )
  return Math.max(...backlogs)
}
