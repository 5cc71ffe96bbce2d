import type { Log } from '@millrace/core'
import { didYouMean } from '@millrace/core/options'
import { nearestOrAll } from './nearest-or-all.ts'

/**
 * Does the work; when the topic isn't found, names the nearest that is there, or those that are.
 *
 * @param advice What else may help; `TOPIC` stands for the name.
 */
export async function withTopicSuggestion<T>(
  log: Log,
  topic: string,
  work: () => Promise<T>,
  advice = '',
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { MillraceError, UsageError } = await import('@millrace/core')
    if (!(cause instanceof MillraceError) || cause.code !== 'TOPIC_NOT_FOUND') throw cause
    const topics = await log.listTopics()
    const names = topics.map(({ name }) => name)
    const named = cause.facts['topic']
    const missing = typeof named === 'string' ? named : topic
    if (names.includes(missing)) throw cause // what isn't there is a partition of it
    const shown = topics.filter(({ internal }) => !internal).map(({ name }) => name)
    const near = didYouMean(missing, names)
    const next = near || `${nearestOrAll(missing, shown)}${advice.replace('TOPIC', missing)}`
    throw new UsageError(cause.code, `There is no topic "${missing}".${next}`, { cause })
  }
}

/** For those who may want a topic that is not there yet. */
export const makeTopic = ' Make it: millrace topic create TOPIC'
