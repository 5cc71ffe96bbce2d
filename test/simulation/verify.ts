import { BatchReader } from '../../core/src/batch/index.ts'
import type { ModelPartition } from './model-topic.ts'
import { promise } from './promise.ts'
import { fetchOnce, lookUpTime, readAll } from './readers.ts'
import type { World } from './world.ts'

/** Compares all of a log that was just opened with what it must still hold. */
export async function verifyRecovered(world: World): Promise<void> {
  const { log, model } = world
  const topics = await world.attempt('list', () => log.listTopics())
  if (topics.kind !== 'done') return
  model.readTopics(topics.value)
  const { damaged } = await log.describe()
  promise(
    damaged.length === 0,
    () => `reported as damaged after a crash: ${JSON.stringify(damaged)}`,
  )
  for (const partition of partitionsThere(world)) {
    const described = topics.value.find(({ topicId }) => topicId === partition.topic.id)
    const startOffset = described?.partitions[partition.partition]?.startOffset
    if (startOffset !== undefined) await verifyPartition(world, partition, startOffset)
  }
}

/** With no transaction open, everything is decided and stable to the end. */
export async function verifyDecided(world: World, groups: readonly string[]): Promise<void> {
  for (const partition of partitionsThere(world)) {
    // What was decided before has been read.
    const from = Math.max(partition.decidedOffset, partition.startOffset)
    const read = await readAll(world, partition, 'read_committed', from)
    if (read === undefined) continue
    const { highWatermark, lastStableOffset } = read.last
    promise(
      lastStableOffset === highWatermark,
      () =>
        `${partition.name}: stable up to ${lastStableOffset} of ${highWatermark}, yet no transaction is open`,
    )
  }
  for (const group of groups) {
    const found = await world.attempt('read positions', () => world.log.readPositions(group))
    if (found.kind !== 'done') continue
    world.model.positions.read(group, found.value)
    for (const { topic, topicId, partition, position } of found.value) {
      const there = world.model.topics.get(topic)
      if (there?.id !== topicId) continue
      const end = there.partitions[partition]?.idAt.length ?? position.offset
      promise(
        position.offset <= end,
        () =>
          `${group}: position ${position.offset} of ${topic}-${partition} lies past the end ${end}`,
      )
    }
  }
}

/** The records that a log holds, for comparing it with itself; markers may still be on their way. */
export async function recordsOf(world: World): Promise<string> {
  const parts: string[] = []
  for (const partition of partitionsThere(world)) {
    for (const isolation of ['read_uncommitted', 'read_committed'] as const) {
      const read = await readAll(world, partition, isolation, partition.startOffset)
      if (read === undefined) continue
      parts.push(`${partition.name} ${isolation} from ${read.last.startOffset}`)
      const reader = new BatchReader(Buffer.concat(read.batches))
      while (reader.next())
        parts.push(`${reader.offset} ${reader.leaderEpoch} ${reader.batch?.crc}`)
    }
  }
  return parts.join('\n')
}

async function verifyPartition(
  world: World,
  partition: ModelPartition,
  startOffset: number,
): Promise<void> {
  partition.startsAt(startOffset, (batch) => world.mayExpire(batch))
  const read = await readAll(world, partition, 'read_uncommitted', partition.startOffset)
  if (read === undefined) return
  const end = read.last.highWatermark
  promise(
    partition.idAt.length <= end,
    () =>
      `${partition.name}: ends at ${end}, but record ${partition.idAt.at(-1)} was at ${partition.idAt.length - 1}`,
  )
  world.model.recovered(partition)
  const decided = await readAll(world, partition, 'read_committed', partition.startOffset)
  partition.decidedOffset = decided?.last.nextOffset ?? partition.startOffset
  if (end > partition.startOffset) {
    const offset = partition.startOffset + world.random.integer(end - partition.startOffset)
    await fetchOnce(world, {
      partition,
      position: { offset, leaderEpoch: -1 },
      isolation: 'read_uncommitted',
    })
    await lookUpTime(world, partition)
  }
}

/** The partitions that must be there. */
export function partitionsThere(world: World): ModelPartition[] {
  return [...world.model.topics.values()]
    .filter(({ state }) => state === 'there')
    .flatMap(({ partitions }) => partitions)
}
