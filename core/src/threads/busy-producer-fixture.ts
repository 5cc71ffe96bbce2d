// A producer in a thread of its own, which counts its acknowledgements where another thread sees them.
import { type MessagePort, threadData } from '../io/index.ts'
import { Producer } from '../producer/index.ts'
import { openShared } from './share-log.ts'

const { port, acknowledged } = threadData() as { port: MessagePort; acknowledged: Int32Array }
const log = openShared(port)
const producer = new Producer(log)
for (let n = 0; n < 100; n++) {
  await producer.send({ topic: 'work', value: `piece ${n}` })
  Atomics.add(acknowledged, 0, 1)
  Atomics.notify(acknowledged, 0)
}
await log.close()
