import { type BatchReader, type Log, type TopicDescription, UsageError } from '@millrace/core'
import { piecesToEnd } from './compacted-topic.ts'
import { copyOfRecord, type DeadLetterRecord, readDeadLetter } from './dead-letter.ts'

/** A dead letter where it lies. */
export interface DeadLetterEntry extends DeadLetterRecord {
  /** Key of the letter itself: the same record refused at the same place has the same. */
  readonly letterKey: string
  /** Partition of the dead-letter topic. */
  readonly letterPartition: number
}

/**
 * The letters of a dead-letter topic that are still open, each in its last form, piece by piece. A letter
 * is closed by a tombstone, which redriving writes.
 *
 * @throws UsageError TOPIC_NOT_FOUND; USAGE when the topic holds records that are no dead letters.
 */
export async function* openDeadLetters(
  log: Log,
  topic: string,
): AsyncGenerator<readonly DeadLetterEntry[]> {
  const { partitions } = await log.describeTopic(topic)
  for (const { partition } of partitions) {
    const last = await lastOffsets(log, topic, partition)
    if (last.size === 0) continue
    for await (const cursor of piecesToEnd(log, topic, partition)) {
      const letters: DeadLetterEntry[] = []
      while (cursor.next()) {
        const letterKey = keyOf(cursor)
        if (last.get(letterKey) !== cursor.offset) continue
        const letter = readDeadLetter(cursor.headers, cursor.value)
        if (letter === undefined) throw notALetter(topic, partition, cursor.offset)
        letters.push({ ...letter, ...copyOfRecord(letter), letterKey, letterPartition: partition })
      }
      if (letters.length > 0) yield letters
    }
  }
}

/** Topics whose name says that a pipeline keeps its dead letters there. */
export async function deadLetterTopics(log: Log): Promise<TopicDescription[]> {
  const topics = await log.listTopics()
  return topics.filter(({ name, internal }) => !internal && name.endsWith('-dead-letters'))
}

/** Where the last letter of each key lies; keys whose last record is a tombstone are left out. */
async function lastOffsets(
  log: Log,
  topic: string,
  partition: number,
): Promise<Map<string, number>> {
  const last = new Map<string, number>()
  for await (const cursor of piecesToEnd(log, topic, partition)) {
    while (cursor.next()) {
      if (cursor.valueLength < 0) last.delete(keyOf(cursor))
      else last.set(keyOf(cursor), cursor.offset)
    }
  }
  return last
}

function keyOf({ bytes, keyStart, keyLength }: BatchReader): string {
  return keyLength < 0 ? '' : bytes.toString('utf8', keyStart, keyStart + keyLength)
}

function notALetter(topic: string, partition: number, offset: number): UsageError {
  return new UsageError(
    'USAGE',
    `The record ${topic}[${partition}]@${offset} is no dead letter. Dead letters lie in the topics that ` +
      'millrace dlq list shows; other topics are read by millrace consume.',
    { facts: { topic, partition, offset } },
  )
}
