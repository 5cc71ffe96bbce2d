import { readdirSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { type Log, type NewTopic, open, Producer, type TopicConfig } from '@millrace/core'
import { expectThat } from '../expect-that.ts'
import { partitionRange, range } from '../ranges.ts'
import type { Place, Workload } from '../workload.ts'
import { valueOf, type Witness } from '../witness.ts'

/** Opens a log with one topic `t`. */
export async function openWith(place: Place, topic: Omit<NewTopic, 'name'>): Promise<Log> {
  const log = await open(place.directory, { ports: place.ports })
  await log.createTopic({ name: 't', ...topic })
  return log
}

/** A workload that appends one record after the other, to a topic with these settings. */
function appending(name: string, records: number, config: Partial<TopicConfig>): Workload {
  return {
    name,
    prepare: (place) => openWith(place, { partitions: 2, config }),
    async struck({ log }, witness) {
      if (log === undefined) return undefined
      for (const n of range(records)) await witness.record(log, 't', n % 2, `r${n}`)
      await witness.record(log, 't', 0, 'probe')
      return log
    },
  }
}

/** Several producers' records in one group, with room for more than one in a batch. */
const together: Workload = {
  name: 'producer, compressed',
  prepare: (place) => openWith(place, { partitions: 2, config: { compression: 'zstd' } }),
  async struck({ log }, witness) {
    if (log === undefined) return undefined
    const producer = new Producer(log, { retryBackoffMs: 1 })
    for (const round of range(3)) {
      const sending = range(6).map((n) => {
        const name = `p${round}.${n}`
        const record = { topic: 't', partition: n % 2, value: valueOf(name) }
        return witness.step(`record t/${n % 2} ${name}`, () => producer.send(record))
      })
      await Promise.all(sending)
    }
    await witness.step('close the producer', () => producer.close())
    await witness.record(log, 't', 0, 'probe')
    return log
  },
}

// A few of the retention's rounds, which this clock makes come each 20 ms.
const HURRIED_ROUNDS_MS = 120

/** By a call that is not struck. */
function countSegments(directory: string): number {
  const names = readdirSync(`${directory}/t-0`)
  return names.filter((name) => /\.log(\.deleted)?$/.test(name)).length
}

/** Old segments go by themselves; what goes is always the oldest. */
function retained(name: string, config: Partial<TopicConfig>): Workload {
  return {
    name,
    async prepare(place, witness) {
      const log = await openWith(place, { config: { segmentBytes: 1024 } })
      for (const n of range(9)) await witness.record(log, 't', 0, `r${n}`)
      return log
    },
    async struck({ log, directory }, witness) {
      if (log === undefined) return undefined
      await witness.step('alter', () => log.alterTopic('t', config).then(() => 'altered'))
      await setTimeout(HURRIED_ROUNDS_MS)
      await witness.record(log, 't', 0, 'probe')
      await setTimeout(HURRIED_ROUNDS_MS)
      await witness.step('files', async () => countSegments(directory))
      return log
    },
    // What expired may be gone; that it does go, by itself, shows in the files.
    async verify(_log, testimony) {
      const isWell = testimony.isDone('files') && testimony.errors.length === 0
      const files = Number(testimony.resultOf('files'))
      if (isWell) expectThat(files <= 2, `${files} files of segments are left`)
    },
  }
}

const trim: Workload = {
  name: 'trim',
  async prepare(place, witness) {
    const log = await openWith(place, { config: { segmentBytes: 1024 } })
    for (const n of range(9)) await witness.record(log, 't', 0, `r${n}`)
    return log
  },
  async struck({ log }, witness) {
    if (log === undefined) return undefined
    await trimTo(log, 4, witness)
    await witness.record(log, 't', 0, 'between')
    await trimTo(log, 8, witness)
    await witness.record(log, 't', 0, 'probe')
    return log
  },
  async verify(log, testimony) {
    const { startOffset } = await partitionRange(log, 't', 0)
    const isBegun = (offset: number) => testimony.isBegun(`trim ${offset}`)
    const isDone = (offset: number) => testimony.isDone(`trim ${offset}`)
    const most = isBegun(8) ? 8 : isBegun(4) ? 4 : 0
    const least = isDone(8) ? 8 : isDone(4) ? 4 : 0
    expectThat(least <= startOffset && startOffset <= most, `the log starts at ${startOffset}`)
  },
}

function trimTo(log: Log, offset: number, witness: Witness): Promise<number | undefined> {
  return witness.step(`trim ${offset}`, () => log.trim({ topic: 't', partition: 0 }, offset))
}

export const workloads: readonly Workload[] = [
  appending('append', 6, {}),
  appending('append, level os', 6, { durability: 'os' }),
  appending('append and roll', 12, { segmentBytes: 1024 }),
  together,
  retained('retention by bytes', { retentionBytes: 1024 }),
  retained('retention by age', { retentionMs: 10 }),
  trim,
]
