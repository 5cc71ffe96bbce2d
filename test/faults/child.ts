// One life of a workload: prepares, says that it is ready, waits for a line, and works until its end.
import { readSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Log } from '@millrace/core'
import { type Clock, nodeClock, nodePorts } from '@millrace/core/io'
import { readValues } from '@millrace/core/testing'
import { Witness, nameOf } from './witness.ts'
import { workloadNamed } from './workloads.ts'

// Retention looks for expired segments each half minute; a life takes less than one.
const HURRIED_ABOVE_MS = 10_000

const [name = '', directory = ''] = process.argv.slice(2)
const workload = await workloadNamed(name)
const witness = new Witness()
const clock: Clock = {
  ...nodeClock,
  schedule: (delayMs, callback, urgency) =>
    nodeClock.schedule(delayMs > HURRIED_ABOVE_MS ? 20 : delayMs, callback, urgency),
}
const place = { directory, ports: { ...nodePorts, clock } }

const prepared = await workload.prepare(place, witness)
await stat('/') // The thread pool has its thread from the first call on.
witness.say({ ready: process.pid })
readSync(0, Buffer.alloc(1))
const log = await workload.struck(
  prepared === undefined ? place : { ...place, log: prepared },
  witness,
)
if (log !== undefined) {
  await readAll(log)
  await witness.step('close', () => log.close())
}

/** Reads go on, whatever was struck. */
async function readAll(open: Log): Promise<void> {
  for (const { name: topic, partitions } of await open.listTopics()) {
    if (topic.startsWith('__')) continue
    for (const { partition } of partitions) {
      const values = await readValues(open, topic, partition, 'read_committed')
      witness.say({ read: `${topic}/${partition}`, values: values.map(nameOf) })
    }
  }
}
