import type { Log } from '@millrace/core'
import { didYouMean } from './did-you-mean.ts'

/** Does the work; when a topic isn't found, names the nearest that is there. */
export async function withTopicSuggestion<T>(
  log: Log,
  topic: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { MillraceError } = await import('@millrace/core')
    if (error instanceof MillraceError && error.code === 'TOPIC_NOT_FOUND') {
      const names = (await log.listTopics()).map(({ name }) => name)
      error.message += didYouMean(topic, names)
    }
    throw error
  }
}
