// A consumer whose body blocks its thread: it waits for the gate without ever giving way.
import { Consumer } from '../consumer/index.ts'
import { type MessagePort, parentChannel, threadData } from '../io/index.ts'
import { Producer } from '../producer/index.ts'
import { openShared } from './share-log.ts'

const { port, gate, sessionTimeoutMs } = threadData() as {
  port: MessagePort
  gate: Int32Array
  sessionTimeoutMs: number
}
const parent = parentChannel()
const log = openShared(port)
const producer = new Producer(log)
await producer.send({ topic: 'work', value: 'a piece' })
const consumer = new Consumer(log, {
  group: 'workers',
  topics: ['work'],
  sessionTimeoutMs,
  heartbeatMs: sessionTimeoutMs / 4,
})
for await (const batch of consumer) {
  parent.post('has a batch')
  // Until the gate opens no timer, no message and no promise runs in this thread.
  Atomics.wait(gate, 0, 0)
  await consumer.commit(batch)
  parent.post('has committed')
}
