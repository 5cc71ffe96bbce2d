import { join } from 'node:path'
import { open, Producer } from '@millrace/core'
import { median } from './paired.ts'
import { short, type Row } from './report.ts'
import { inScratch } from './scratch.ts'

const producerCount = 1000
const rounds = 7
const sendsEach = 300

/** 1,000 producers, each awaiting the acknowledgement of every record before it sends the next. */
export async function measure(): Promise<Row[]> {
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) rates.push(await inScratch(oneRound))
  const got = median(rates)
  return [
    {
      what: '1,000 producers each awaiting its acknowledgement, fsync',
      got: `${short(got)} records/s`,
      spread: `${short(Math.min(...rates))}–${short(Math.max(...rates))}, ${rounds} rounds`,
      floor: '100 k',
      aim: '300 k',
      value: got,
      holds: got >= 100_000,
    },
  ]
}

async function oneRound(directory: string): Promise<number> {
  const log = await open(join(directory, 'log'))
  await log.createTopic({ name: 'bench-topic', partitions: 4 })
  const value = Buffer.alloc(100, 'x')
  const producers = Array.from({ length: producerCount }, () => new Producer(log))
  // The first send of each fetches its identity and the topic: not what is measured here.
  await Promise.all(
    producers.map((producer, i) =>
      producer.send({ topic: 'bench-topic', partition: i % 4, value }),
    ),
  )
  const startMs = performance.now()
  await Promise.all(
    producers.map(async (producer, i) => {
      for (let sent = 0; sent < sendsEach; sent++) {
        await producer.send({ topic: 'bench-topic', partition: i % 4, value })
      }
    }),
  )
  const rate = (producerCount * sendsEach) / ((performance.now() - startMs) / 1000)
  await Promise.all(producers.map((producer) => producer.close()))
  await log.close()
  return rate
}
