import { BatchReader, type Log, type TopicPartition } from '@millrace/core'
import { copyOfRecord, type DeadLetterRecord, type OriginalRecord } from './dead-letter.ts'

const FETCH_BYTES = 1024 * 1024

/** A record as it lies in the log, with its time. */
export interface ReadRecord extends OriginalRecord {
  readonly timestampMs: number
}

/**
 * Reads records of one partition back, in one pass over what lies between them.
 *
 * @param offsets ascending.
 * @returns those that are still there, by offset.
 */
export async function readOriginals(
  log: Log,
  { topic, partition }: TopicPartition,
  offsets: readonly number[],
): Promise<Map<number, ReadRecord>> {
  const found = new Map<number, ReadRecord>()
  let next = 0
  while (next < offsets.length) {
    const offset = offsets[next] ?? 0
    const { partitions } = await log.fetch({
      isolation: 'read_committed',
      maxWaitMs: 0,
      maxBytes: FETCH_BYTES,
      partitions: [
        { topic, partition, position: { offset, leaderEpoch: -1 }, maxBytes: FETCH_BYTES },
      ],
    })
    const fetched = partitions[0]
    if (fetched === undefined || fetched.error !== undefined) return found
    const cursor = new BatchReader(fetched.batches, { fromOffset: offset })
    while (cursor.next()) {
      while ((offsets[next] ?? Infinity) < cursor.offset) next += 1
      if (offsets[next] === cursor.offset) found.set(cursor.offset, recordAt(cursor))
    }
    const before = next
    while ((offsets[next] ?? Infinity) < fetched.nextOffset) next += 1
    if (next === before && fetched.nextOffset <= offset) return found
  }
  return found
}

function recordAt(cursor: BatchReader): ReadRecord {
  return { ...copyOfRecord(cursor), timestampMs: cursor.timestampMs }
}

/**
 * Gives letters that were written down after their record was gone from memory the record itself, from
 * the log. What is no longer there stays as an operator made it.
 */
export async function withOriginals(
  log: Log,
  letters: readonly DeadLetterRecord[],
): Promise<DeadLetterRecord[]> {
  const missing = letters.filter(({ isOriginal }) => !isOriginal)
  const partitions = new Map(
    missing.map(({ origin }) => [`${origin.topic}/${origin.partition}`, origin]),
  )
  const found = new Map<string, ReadRecord>()
  for (const [name, origin] of partitions) {
    const own = missing.filter(
      (letter) => `${letter.origin.topic}/${letter.origin.partition}` === name,
    )
    const offsets = own.map(({ offset }) => offset).toSorted((a, b) => a - b)
    for (const [offset, record] of await readOriginals(log, origin, offsets)) {
      found.set(`${name}/${offset}`, record)
    }
  }
  return letters.map((letter) => {
    const { origin, offset } = letter
    const record = found.get(`${origin.topic}/${origin.partition}/${offset}`)
    return record === undefined ? letter : { ...letter, ...record, isOriginal: true }
  })
}
