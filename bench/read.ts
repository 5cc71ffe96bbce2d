import { join } from 'node:path'
import { BatchReader, open, Producer, type Log } from '@millrace/core'
import { median } from './paired.ts'
import { short, type Row } from './report.ts'
import { inScratch } from './scratch.ts'

const recordCount = 3_000_000
const rounds = 9

/** Reads a topic through `Log.fetch`, touching every key's length and one byte of each value. */
export async function measure(): Promise<Row[]> {
  const rates = await inScratch(async (directory) => {
    const log = await open(join(directory, 'log'))
    await fill(log)
    const found: number[] = []
    for (let round = 0; round < rounds; round++) found.push(await readAll(log))
    await log.close()
    return found
  })
  const got = median(rates)
  return [
    {
      what: 'read, touching every key length and one byte of each value',
      got: `${short(got)} records/s`,
      spread: `${short(Math.min(...rates))}–${short(Math.max(...rates))}, ${rounds} rounds`,
      floor: '5 M',
      aim: '10 M',
      value: got,
      holds: got >= 5e6,
    },
  ]
}

async function fill(log: Log): Promise<void> {
  await log.createTopic({ name: 'bench-topic', config: { durability: 'os' } })
  const producer = new Producer(log)
  const value = Buffer.alloc(100, 'x')
  for (let i = 0; i < recordCount; i++) {
    void producer.send({ topic: 'bench-topic', key: `key-${i % 1000}`, value })
    if (producer.isFull) await producer.room()
  }
  await producer.close()
}

async function readAll(log: Log): Promise<number> {
  const startMs = performance.now()
  let offset = 0
  let leaderEpoch = -1
  let touched = 0
  let records = 0
  while (offset < recordCount) {
    const { partitions } = await log.fetch({
      isolation: 'read_committed',
      maxWaitMs: 100,
      maxBytes: 4 << 20,
      partitions: [
        {
          topic: 'bench-topic',
          partition: 0,
          position: { offset, leaderEpoch },
          maxBytes: 4 << 20,
        },
      ],
    })
    const fetched = partitions[0]
    if (fetched === undefined || fetched.error !== undefined)
      throw new Error(`fetch: ${fetched?.error?.message}`)
    const reader = new BatchReader(fetched.batches)
    while (reader.next()) {
      touched += reader.keyLength + (reader.bytes[reader.valueStart] ?? 0)
      records += 1
    }
    offset = fetched.nextOffset
    leaderEpoch = reader.leaderEpoch
  }
  if (records !== recordCount || touched === 0)
    throw new Error(`read ${records} of ${recordCount} records`)
  return records / ((performance.now() - startMs) / 1000)
}
