import type { Log } from '@millrace/core'
import type { DurableStore } from '../state/store.ts'
import { piecesToEnd } from './compacted-topic.ts'

/** How far restoring has come, in changelog records. */
export interface RestoreProgress {
  restored: number
  /** About as many are still to be read: it counts the ends of transactions too. */
  restoreLeft: number
}

/** What a changelog partition holds, in offsets. */
export async function changelogLength(
  log: Log,
  changelogTopic: string,
  partition: number,
): Promise<number> {
  const place = { topic: changelogTopic, partition, isolation: 'read_committed' } as const
  const start = await log.findOffset({ ...place, at: 'earliest' })
  const end = await log.findOffset({ ...place, at: 'latest' })
  return end.offset - start.offset
}

/**
 * Fills a store from its changelog, as of the last committed epoch; resolves with the number of
 * records read.
 */
export async function restoreStore(
  log: Log,
  changelogTopic: string,
  partition: number,
  store: DurableStore,
  progress: RestoreProgress = { restored: 0, restoreLeft: 0 },
): Promise<number> {
  let records = 0
  for await (const cursor of piecesToEnd(log, changelogTopic, partition)) {
    const before = records
    while (cursor.next()) {
      const { bytes, keyStart, keyLength, valueStart, valueLength } = cursor
      const key = bytes.toString('utf8', keyStart, keyStart + keyLength)
      const value =
        valueLength < 0 ? null : bytes.toString('utf8', valueStart, valueStart + valueLength)
      store.restore({ key, value })
      records++
    }
    progress.restored += records - before
    progress.restoreLeft = Math.max(0, progress.restoreLeft - (records - before))
  }
  return records
}
