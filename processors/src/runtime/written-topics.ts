import { deadLetterTopic } from './dead-letter.ts'
import type { RunContext } from './stage-context.ts'
import type { WrittenTopic } from './transactional-writer.ts'

/** The topics that a stage's transactions write, dead letters included. */
export function writtenTopics(context: RunContext, names: readonly string[]): WrittenTopic[] {
  const deadLetters = deadLetterTopic(context.plan.pipeline)
  const all = context.topics.has(deadLetters) ? [...names, deadLetters] : names
  return [...new Set(all)].flatMap((name) => {
    const topic = context.topics.get(name)
    if (topic === undefined) return []
    const { compression, maxMessageBytes } = topic.config
    return [{ name, partitions: topic.partitions.length, compression, maxMessageBytes }]
  })
}
