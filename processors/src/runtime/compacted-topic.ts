import { BatchReader, type Log, type Position, RejectedError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'

const FETCH_BYTES = 1024 * 1024

/**
 * Reads a partition from its start to its present end, committed records only, for topics whose last
 * record per key is the truth. The cursor stands on each record in turn.
 */
export async function readToEnd(
  log: Log,
  topic: string,
  partition: number,
  each: (cursor: BatchReader) => void,
): Promise<void> {
  for await (const cursor of piecesToEnd(log, topic, partition)) {
    while (cursor.next()) each(cursor)
  }
}

/** The same, piece by piece: whoever takes a piece steps through it. */
export async function* piecesToEnd(
  log: Log,
  topic: string,
  partition: number,
): AsyncGenerator<BatchReader> {
  const isolation = 'read_committed'
  const end = await log.findOffset({ topic, partition, at: 'latest', isolation })
  let position: Position = await log.findOffset({ topic, partition, at: 'earliest' })
  while (position.offset < end.offset) {
    const { partitions } = await log.fetch({
      isolation,
      maxWaitMs: 0,
      maxBytes: FETCH_BYTES,
      partitions: [{ topic, partition, position, maxBytes: FETCH_BYTES }],
    })
    const fetched = partitions[0]
    if (fetched?.error !== undefined) {
      const { code, message, facts } = fetched.error
      throw new RejectedError(code, message, facts === undefined ? {} : { facts })
    }
    // Ending here would restore a part of it without a word.
    invariant(fetched !== undefined && fetched.nextOffset > position.offset, `${topic} ends early`)
    yield new BatchReader(fetched.batches, { fromOffset: position.offset })
    position = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
  }
}
