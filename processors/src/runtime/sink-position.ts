import { type Position, RejectedError, UsageError } from '@millrace/core'
import type { Json } from '../json.ts'

/** What a deliver stage stores in its sink with the rows: where the task goes on. */
export interface SinkPosition extends Position {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
}

/** The partition that a task reads now. */
interface Present {
  readonly sink: string
  readonly topic: string
  readonly topicId: string
  readonly partition: number
}

/** As the JSON that sinks store. */
export function toStored(position: SinkPosition): Json {
  const { topic, topicId, partition, offset, leaderEpoch } = position
  return { topic, topicId, partition, offset, leaderEpoch }
}

/**
 * Reads a stored position back.
 *
 * @throws UsageError POSITION_DIVERGED when it belongs to another topic, one deleted and made anew included.
 */
export function fromStored(stored: Json, present: Present): Position {
  const { sink, topic, topicId, partition } = present
  if (!isSinkPosition(stored)) {
    throw new RejectedError(
      'POSITION_DIVERGED',
      `${sink} stores a position for ${topic}[${partition}] that is none: ${JSON.stringify(stored)}.`,
    )
  }
  if (stored.topicId !== topicId || stored.partition !== partition) {
    throw new UsageError(
      'POSITION_DIVERGED',
      `${sink} has rows up to ${stored.topic}[${stored.partition}]@${stored.offset} of the topic with id ` +
        `${stored.topicId}, but ${topic} in this log is another one (${topicId}): it was deleted and made ` +
        `anew. Going on would write rows twice. Use the log that the rows came from; or empty the ` +
        `sink together with its stored position and begin again.`,
      { facts: { ...present, stored } },
    )
  }
  return { offset: stored.offset, leaderEpoch: stored.leaderEpoch }
}

function isSinkPosition(stored: Json): stored is Json & SinkPosition {
  if (stored === null || typeof stored !== 'object') return false
  const { offset, leaderEpoch, topicId, partition } = stored as Partial<SinkPosition>
  return (
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(leaderEpoch) &&
    typeof topicId === 'string' &&
    Number.isSafeInteger(partition)
  )
}
