import type { Log } from '@millrace/core'
import { didYouMean } from './did-you-mean.ts'

/** Does the work; when the topic isn't found, names the nearest that is there, or how to make it. */
export async function withTopicSuggestion<T>(
  log: Log,
  topic: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { MillraceError, UsageError } = await import('@millrace/core')
    if (!(cause instanceof MillraceError) || cause.code !== 'TOPIC_NOT_FOUND') throw cause
    const names = (await log.listTopics()).map(({ name }) => name)
    const named = cause.facts['topic']
    const missing = typeof named === 'string' ? named : topic
    if (names.includes(missing)) throw cause // what isn't there is a partition of it
    const next = didYouMean(missing, names) || ` Make it: millrace topic create ${missing}`
    throw new UsageError(cause.code, `There is no topic "${missing}".${next}`, { cause })
  }
}
