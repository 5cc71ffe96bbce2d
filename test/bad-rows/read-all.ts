import { BatchReader, type Log } from 'millrace'

/** A record as it lies in its topic, as text. */
export interface ReadBack {
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: Readonly<Record<string, string>>
}

const text = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString()

/** All committed records of a topic, in the order of their offsets (partitions mixed). */
export async function readAll(log: Log, topic: string): Promise<ReadBack[]> {
  const { partitions } = await log.describeTopic(topic)
  const found: ReadBack[] = []
  for (const { partition, startOffset, lastStableOffset } of partitions) {
    let offset = startOffset
    while (offset < lastStableOffset) {
      const fetched = await log.fetch({
        isolation: 'read_committed',
        maxWaitMs: 0,
        maxBytes: 1 << 24,
        partitions: [
          { topic, partition, position: { offset, leaderEpoch: -1 }, maxBytes: 1 << 24 },
        ],
      })
      const answer = fetched.partitions[0]
      if (answer === undefined || answer.nextOffset === offset) break
      const cursor = new BatchReader(answer.batches, { fromOffset: offset })
      while (cursor.next()) found.push(recordAt(cursor, partition))
      offset = answer.nextOffset
    }
  }
  return found.toSorted((a, b) => a.offset - b.offset)
}

function recordAt(cursor: BatchReader, partition: number): ReadBack {
  const { offset, timestampMs, key, value, headers } = cursor
  const entries = headers.map((header) => [header.key, text(header.value) ?? ''])
  return {
    partition,
    offset,
    timestampMs,
    key: text(key),
    value: text(value),
    headers: Object.fromEntries(entries) as Record<string, string>,
  }
}
