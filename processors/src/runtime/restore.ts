import type { Log } from '@millrace/core'
import type { DurableStore } from '../state/store.ts'
import { readToEnd } from './compacted-topic.ts'

/**
 * Fills a store from its changelog, as of the last committed epoch; resolves with the number of
 * records read.
 */
export async function restoreStore(
  log: Log,
  changelogTopic: string,
  partition: number,
  store: DurableStore,
): Promise<number> {
  let records = 0
  await readToEnd(log, changelogTopic, partition, (cursor) => {
    const { bytes, keyStart, keyLength, valueStart, valueLength } = cursor
    const key = bytes.toString('utf8', keyStart, keyStart + keyLength)
    const value =
      valueLength < 0 ? null : bytes.toString('utf8', valueStart, valueStart + valueLength)
    store.restore({ key, value })
    records++
  })
  return records
}
