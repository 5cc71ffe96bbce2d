import type { Log, PartitionDescription } from '@millrace/core'

/** 0 to `count` − 1. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

/** Where a partition starts and ends. */
export async function partitionRange(
  log: Log,
  topic: string,
  partition: number,
): Promise<PartitionDescription> {
  const found = (await log.describeTopic(topic)).partitions[partition]
  if (found === undefined) throw new Error(`there is no ${topic}/${partition}`)
  return found
}
