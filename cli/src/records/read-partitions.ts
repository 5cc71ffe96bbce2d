import {
  BatchReader,
  type FetchPartition,
  type Log,
  MillraceError,
  type PartitionDescription,
  type Position,
  type StoredPosition,
  type TopicDescription,
} from '@millrace/core'
import type { Start } from './start-option.ts'

type Isolation = 'read_uncommitted' | 'read_committed'

/** What to read of a topic. */
export interface ReadPlan {
  readonly topic: TopicDescription
  readonly partitions: readonly PartitionDescription[]
  /** Where to begin a partition without a stored position. */
  readonly start: Start
  readonly stored: readonly StoredPosition[]
  readonly isolation: Isolation
  /** Stop at the end that each partition has now. */
  readonly untilEnd: boolean
}

/** A partition under way. */
interface Cursor {
  readonly partition: number
  readonly end: number
  position: Position
}

/** Some records of one partition, in order, as a cursor over them. */
export interface FetchedRecords {
  readonly partition: number
  /** Records from this offset on are none of this reading. */
  readonly end: number
  readonly records: BatchReader
}

const bytesPerFetch = 4 * 1024 * 1024
// Short, so that Ctrl-C needs no longer; a fetch answers as soon as there is something anyway.
const waitMs = 250

/**
 * Reads partitions as a person does who looks into a topic: as no member of a group, committing nothing.
 *
 * @throws MillraceError when a partition can't be read on, such as OFFSET_OUT_OF_RANGE.
 */
export async function* readPartitions(
  log: Log,
  plan: ReadPlan,
  signal: AbortSignal,
): AsyncGenerator<FetchedRecords> {
  const { topic, isolation } = plan
  let cursors = await Promise.all(plan.partitions.map((each) => cursorAt(log, plan, each)))
  for (;;) {
    cursors = cursors.filter(({ position, end }) => position.offset < end)
    if (signal.aborted || cursors.length === 0) return
    const { partitions } = await log.fetch({
      isolation,
      maxWaitMs: waitMs,
      maxBytes: bytesPerFetch,
      partitions: cursors.map((cursor) => fetchOf(topic, cursor)),
    })
    for (const fetched of partitions) {
      const cursor = cursors.find(({ partition }) => partition === fetched.partition)
      if (fetched.error !== undefined) {
        const { code, message, facts = {} } = fetched.error
        throw new MillraceError(code, message, { facts })
      }
      if (cursor === undefined || signal.aborted) continue
      const { partition, end } = cursor
      const fromOffset = cursor.position.offset
      if (fetched.batches.length > 0) {
        yield { partition, end, records: new BatchReader(fetched.batches, { fromOffset }) }
      }
      cursor.position = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
    }
  }
}

function fetchOf({ name, topicId }: TopicDescription, cursor: Cursor): FetchPartition {
  const { partition, position } = cursor
  return { topic: name, topicId, partition, position, maxBytes: bytesPerFetch }
}

async function cursorAt(log: Log, plan: ReadPlan, of: PartitionDescription): Promise<Cursor> {
  const { isolation, untilEnd } = plan
  const { partition } = of
  const at = { topic: plan.topic.name, partition, isolation }
  const end = untilEnd ? (await log.findOffset({ ...at, at: 'latest' })).offset : Infinity
  return { partition, end, position: await startPosition() }

  async function startPosition(): Promise<Position> {
    const { start, topic } = plan
    const stored = plan.stored.find(
      (each) => each.topicId === topic.topicId && each.partition === partition,
    )
    if (stored !== undefined) return stored.position
    if ('at' in start) return await log.findOffset({ ...at, at: start.at })
    if ('timestampMs' in start) return await log.findOffset({ ...at, at: start })
    const offset = 'offset' in start ? start.offset : await offsetOfLast(log, plan, of, start.last)
    return { offset, leaderEpoch: -1 }
  }
}

/** Where the last `count` records begin. Not all offsets are records: transactions end in markers. */
async function offsetOfLast(
  log: Log,
  plan: ReadPlan,
  of: PartitionDescription,
  count: number,
): Promise<number> {
  for (let distance = count; ; distance *= 2) {
    const offset = Math.max(of.startOffset, of.lastStableOffset - distance)
    const tail = { ...plan, partitions: [of], start: { offset }, stored: [], untilEnd: true }
    const offsets: number[] = []
    for await (const { records, end } of readPartitions(log, tail, new AbortController().signal)) {
      while (records.next() && records.offset < end) offsets.push(records.offset)
    }
    const found = offsets.at(-count)
    if (found !== undefined || offset === of.startOffset) return found ?? offset
  }
}
