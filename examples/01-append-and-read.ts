// 01 The log alone: append records to a topic, and read them back.
// npx node examples/01-append-and-read.ts
import { Consumer, json, open, Producer, string } from 'millrace'

const serdes = { key: string, value: json<{ celsius: number }>() }

// A directory, made when it isn't there. One process at a time may write to it.
const log = await open(process.env['MILLRACE_LOG'] ?? './millrace-data')

const topics = await log.listTopics()
if (topics.every(({ name }) => name !== 'readings')) {
  await log.createTopic({ name: 'readings', partitions: 2 })
}

// Records of one key stay in order. An acknowledged record is on the disk.
const producer = new Producer(log, serdes)
for (const [key, celsius] of [
  ['Oslo', -3],
  ['Lima', 24],
  ['Oslo', -4],
] as const) {
  const { partition, offset } = await producer.send({ topic: 'readings', key, value: { celsius } })
  console.log(`${key} is at readings[${partition}]@${offset}`)
}
await producer.close()

// A group remembers how far it has read: run this again, and it sees only what is new.
const consumer = new Consumer(log, { group: 'thermometer', topics: ['readings'], ...serdes })
let unread = 3
for await (const batch of consumer) {
  for (const { key, value } of batch.records()) {
    console.log(`${key}: ${value?.celsius} °C`)
    unread--
  }
  await consumer.commit(batch)
  if (unread === 0) break
}
await consumer.close()
await log.close()
