import { UsageError } from '../errors.ts'
import type { TopicDescription } from '../log.ts'
import { didYouMean } from '../options/did-you-mean.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import type { RegisteredTopic } from './topic-registry.ts'

/** Describes an open topic. */
export function describeTopic(topic: {
  readonly registered: RegisteredTopic
  readonly partitions: readonly { readonly log: PartitionLog }[]
}): TopicDescription {
  const { topicId, name, internal, config } = topic.registered
  return {
    topicId,
    name,
    internal,
    config,
    partitions: topic.partitions.map(({ log }) => ({
      partition: log.partition,
      startOffset: log.startOffset,
      highWatermark: log.visibleOffset,
      lastStableOffset: log.lastStableOffset,
      sizeBytes: log.sizeBytes,
    })),
  }
}

/** The error for a name that no topic has, with the nearest that there is. */
export function topicNotFound(name: string, known: Iterable<string>): UsageError {
  const names = [...known]
  const hint = didYouMean(name, names) || containing(name, names)
  const next = hint || ' Create it first, or correct the name.'
  return new UsageError('TOPIC_NOT_FOUND', `There is no topic ${name}.${next}`, {
    facts: { topic: name },
  })
}

function containing(name: string, known: readonly string[]): string {
  const lower = name.toLowerCase()
  const near = known.find((other) => {
    const text = other.toLowerCase()
    return text.includes(lower) || lower.includes(text)
  })
  return near === undefined ? '' : ` Did you mean "${near}"?`
}

/** The error for a partition that a topic does not have. */
export function noPartition(topic: RegisteredTopic, partition: number): UsageError {
  return new UsageError(
    'TOPIC_NOT_FOUND',
    `Topic ${topic.name} has partitions 0 to ${topic.partitions - 1}, but no partition ${partition}.`,
    { facts: { topic: topic.name, partition, partitions: topic.partitions } },
  )
}
