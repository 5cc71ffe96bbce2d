import { cpSync, rmSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { type Log, open, type ProducerIdentity } from '@millrace/core'
import { batchOf } from '@millrace/core/testing'
import { expectThat } from '../expect-that.ts'
import { range } from '../ranges.ts'
import { valueOf, type Witness } from '../witness.ts'
import type { Place, Workload } from '../workload.ts'
import { openWith } from './records.ts'

async function openStruck(place: Place, witness: Witness): Promise<Log | undefined> {
  const opened: { log?: Log } = {}
  await witness.step('open', async () => {
    opened.log = await open(place.directory, { ports: place.ports })
  })
  return opened.log
}

const firstOpening: Workload = {
  name: 'open for the first time',
  prepare: async () => undefined,
  async struck(place, witness) {
    const log = await openStruck(place, witness)
    if (log === undefined) return undefined
    const create = () => log.createTopic({ name: 't' }).then(() => 'made')
    const made = await witness.step('create t', create)
    // What was refused leaves nothing that stands in the way.
    if (made === undefined) await witness.step('create t again', create)
    await witness.record(log, 't', 0, 'probe')
    return log
  },
}

const orderlyReopening: Workload = {
  name: 'reopen after a close',
  async prepare(place, witness) {
    const log = await openWith(place, { partitions: 2, config: { segmentBytes: 1024 } })
    for (const n of range(7)) await witness.record(log, 't', n % 2, `r${n}`)
    await log.close()
    return undefined
  },
  async struck(place, witness) {
    const log = await openStruck(place, witness)
    if (log !== undefined) await witness.record(log, 't', 0, 'probe')
    return log
  },
}

/** Beside the place, as its owner would have left it had it been killed now. */
const aside = ({ directory, ports }: Place): Place => ({ directory: `${directory}.lived`, ports })

async function liveBeside(place: Place, witness: Witness): Promise<ProducerIdentity> {
  const lived = aside(place)
  const log = await openWith(lived, { partitions: 2, config: { segmentBytes: 2048 } })
  await log.createTopic({ name: 'passing' })
  for (const n of range(9)) await witness.record(log, 't', n % 2, `r${n}`)
  const producer = await log.initProducer({ transactionalId: 'mill' })
  const inside = { ...producer, baseSequence: 0, isTransactional: true }
  for (const partition of [0, 1]) {
    await log.append({ topic: 't', partition, batch: batchOf([valueOf('open')], inside) })
  }
  copyAtOnce(lived.directory, place.directory)
  await log.close()
  return producer
}

/** Nothing of this process runs meanwhile; what was under way may still take a file away. */
function copyAtOnce(from: string, to: string): void {
  for (let isCopied = false; !isCopied;) {
    try {
      cpSync(from, to, { recursive: true })
      isCopied = true
    } catch {
      rmSync(to, { recursive: true, force: true })
    }
  }
}

const recovery: Workload = {
  name: 'recover from a crash',
  async prepare(place, witness) {
    await liveBeside(place, witness)
    return undefined
  },
  async struck(place, witness) {
    const log = await openStruck(place, witness)
    if (log === undefined) return undefined
    await witness.record(log, 't', 0, 'probe')
    return log
  },
  async verify(log) {
    for (const partition of [0, 1]) {
      const { highWatermark, lastStableOffset } =
        (await log.describeTopic('t')).partitions[partition] ?? {}
      expectThat(highWatermark === lastStableOffset, 'a transaction of the crash is still open')
    }
  },
}

/** A reader that follows an owner, both in one process: what is struck is either's. */
const readOnly: Workload = {
  name: 'read-only beside the owner',
  prepare: (place) => openWith(place, { config: { segmentBytes: 1024 } }),
  async struck({ log, directory, ports }, witness) {
    if (log === undefined) return undefined
    for (const n of range(4)) await witness.record(log, 't', 0, `r${n}`)
    const opened: { reader?: Log } = {}
    await witness.step('open to read', async () => {
      opened.reader = await open(directory, { ports, access: 'read-only' })
    })
    for (const n of range(3)) await witness.record(log, 't', 0, `s${n}`)
    await setTimeout(30)
    await witness.step('close the reader', async () => opened.reader?.close())
    await witness.record(log, 't', 0, 'probe')
    return log
  },
}

export const workloads: readonly Workload[] = [firstOpening, orderlyReopening, recovery, readOnly]
