import { join } from 'node:path'
import { open, Producer, type Log } from '@millrace/core'
import { restoreStore } from '../processors/src/runtime/restore.ts'
import { MemoryStore } from '../processors/src/state/memory-store.ts'
import { short, type Row } from './report.ts'
import { inScratch } from './scratch.ts'

const keys = Number(process.env['RESTORE_KEYS'] ?? 10_000_000)
const partitions = 4
const topic = 'bench-changelog'

/** Reads state of ten million keys back from its changelog, as a stage does when it starts. */
export async function measure(): Promise<Row[]> {
  return inScratch(async (directory) => {
    const log = await open(join(directory, 'log'))
    await log.createTopic({ name: topic, partitions })
    await writeChangelog(log)
    const heapBefore = process.memoryUsage().heapUsed
    const startMs = performance.now()
    const stores = await restoreAll(log)
    const seconds = (performance.now() - startMs) / 1000
    const { heapUsed, rss } = process.memoryUsage()
    const restored = stores.reduce((sum, { size }) => sum + size, 0)
    await log.close()
    if (restored !== keys) throw new Error(`${restored} keys came back`)
    return [
      {
        what: `state of ${short(keys)} keys restored from its changelog`,
        got: `${short(keys / seconds)} keys/s (${seconds.toFixed(1)} s)`,
        spread: `${((heapUsed - heapBefore) / keys).toFixed(0)} bytes of heap a key, RSS ${(rss / 1e6).toFixed(0)} MB`,
        floor: 'restores, with progress',
        aim: '',
        holds: true,
      },
    ]
  })
}

async function writeChangelog(log: Log): Promise<void> {
  const producer = new Producer(log)
  for (let key = 0; key < keys; key++) {
    const value = `{"count":${key % 1000},"sum":${key / 2}}`
    const partition = key % partitions
    const sent = producer.send({ topic, partition, key: `0 "customer-${key}"`, value })
    if (key % 50_000 === 0) await sent
  }
  await producer.close()
}

async function restoreAll(log: Log): Promise<MemoryStore[]> {
  const stores: MemoryStore[] = []
  const progress = { restored: 0, restoreLeft: keys }
  const watch = setInterval(() => {
    console.error(`  ${short(progress.restored)} keys, ${short(progress.restoreLeft)} left`)
  }, 2000)
  for (let partition = 0; partition < partitions; partition++) {
    const store = new MemoryStore(`store-${partition}`)
    stores.push(store)
    await restoreStore(log, topic, partition, store, progress)
  }
  clearInterval(watch)
  return stores
}
