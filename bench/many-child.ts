// Makes 100 topics of 100 partitions, or opens them, writes to each, and is killed or closes the log.
import { open, Producer } from '@millrace/core'

const [directory = '', how = 'close'] = process.argv.slice(2)
const topics = Number(process.env['MANY_TOPICS'] ?? 100)
const partitions = 100

const startMs = performance.now()
const log = await open(directory)
const openedMs = performance.now() - startMs
const known = await log.listTopics()
for (let n = known.length; n < topics; n++) {
  await log.createTopic({ name: `topic-${n}`, partitions })
}
if (how !== 'look') {
  const producer = new Producer(log)
  for (let n = 0; n < topics; n++) {
    for (let partition = 0; partition < partitions; partition++) {
      void producer.send({ topic: `topic-${n}`, partition, value: Buffer.alloc(100) })
    }
  }
  await producer.close()
}
process.stdout.write(`${openedMs}`)
if (how === 'kill') process.kill(process.pid, 'SIGKILL')
await log.close()
