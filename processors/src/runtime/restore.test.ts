import { open, Producer } from '@millrace/core'
import { simulatedPorts } from '@millrace/core/testing'
import { expect, test } from 'vitest'
import { MemoryStore } from '../state/memory-store.ts'
import type { ChangelogRecord } from '../state/store.ts'
import { changelogLength, restoreStore } from './restore.ts'

const RECORDS = 30_000

/** Notes how far restoring had come whenever it was given a record. */
class WatchedStore extends MemoryStore {
  readonly seen = new Set<number>()
  readonly #restored: () => number

  constructor(restored: () => number) {
    super('watched')
    this.#restored = restored
  }

  override restore(record: ChangelogRecord): void {
    this.seen.add(this.#restored())
    super.restore(record)
  }
}

test('restoring tells how far it is while it goes on, and in the end that nothing is left', async () => {
  const ports = simulatedPorts()
  const log = await open('/data', { ports })
  await log.createTopic({ name: 'changes', partitions: 1 })
  const producer = new Producer(log, { clock: ports.clock, batchBytes: 200_000 })
  for (let n = 0; n < RECORDS; n++) {
    void producer.send({ topic: 'changes', key: `0 "key ${n}"`, value: `"${'x'.repeat(100)}"` })
  }
  await producer.close()
  const progress = { restored: 0, restoreLeft: await changelogLength(log, 'changes', 0) }
  expect(progress.restoreLeft).toBe(RECORDS)
  const store = new WatchedStore(() => progress.restored)
  expect(await restoreStore(log, 'changes', 0, store, progress)).toBe(RECORDS)
  expect(store.size).toBe(RECORDS)
  expect(store.seen.size).toBeGreaterThan(2)
  expect(progress).toEqual({ restored: RECORDS, restoreLeft: 0 })
  await log.close()
})
