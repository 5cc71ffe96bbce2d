import { Consumer, type Log, type ProducerIdentity, string } from '@millrace/core'
import { batchOf, readValues } from '@millrace/core/testing'
import { expectThat } from '../expect-that.ts'
import { range } from '../ranges.ts'
import type { Testimony } from '../testimony.ts'
import { nameOf, valueOf, type Witness } from '../witness.ts'
import type { Workload } from '../workload.ts'
import { openWith } from './records.ts'

const GROUP = 'readers'

/** One transaction over both partitions, with a position; its step is `commit x` or `abort x`. */
async function transact(
  log: Log,
  producer: ProducerIdentity,
  outcome: 'commit' | 'abort',
  name: string,
  witness: Witness,
): Promise<ProducerIdentity | undefined> {
  const { topicId } = await log.describeTopic('t')
  const next: { identity?: ProducerIdentity } = {}
  await witness.step(`${outcome} ${name}`, async () => {
    for (const partition of [0, 1]) {
      const inside = { ...producer, baseSequence: 0, isTransactional: true }
      const batch = batchOf([valueOf(`${name}.${partition}`)], inside)
      await log.append({ topic: 't', partition, batch })
    }
    const position = { offset: 1, leaderEpoch: -1 }
    const stored = { topic: 't', partition: 0, topicId, position, metadata: name }
    const positions = [{ group: GROUP, positions: [stored] }]
    const ending = outcome === 'commit' ? { outcome, positions } : { outcome }
    next.identity = await log.endTransaction({ ...producer, ...ending })
  })
  return next.identity
}

/** All of a transaction is there, or nothing; its stored position names the last committed one. */
async function holdsTransactions(log: Log, testimony: Testimony, names: readonly string[]) {
  const seen = await Promise.all(
    [0, 1].map(async (partition) => {
      const values = await readValues(log, 't', partition, 'read_committed')
      return new Set(values.map(nameOf))
    }),
  )
  let last: string | undefined
  for (const name of names) {
    const [first, second] = seen.map((values, partition) => values.has(`${name}.${partition}`))
    expectThat(first === second, `half of transaction ${name} is visible`)
    expectThat(first === true || !testimony.isDone(`commit ${name}`), `${name} was committed`)
    expectThat(first === false || testimony.isBegun(`commit ${name}`), `${name} was not committed`)
    if (first === true) last = name
  }
  const [stored] = await log.readPositions(GROUP)
  expectThat(stored?.metadata === last, `the position is of ${stored?.metadata}, not of ${last}`)
}

const NAMES = ['x0', 'x1', 'x2']

function transacting(name: string, outcomes: readonly ('commit' | 'abort')[]): Workload {
  return {
    name,
    async prepare(place, witness) {
      const log = await openWith(place, { partitions: 2, config: { segmentBytes: 2048 } })
      for (const partition of [0, 1]) await witness.record(log, 't', partition, 'before')
      return log
    },
    async struck({ log }, witness) {
      if (log === undefined) return undefined
      for (const [n, outcome] of outcomes.entries()) {
        // As a client does: the name gets its producer anew, and what was open is aborted.
        const begun: { producer?: ProducerIdentity } = {}
        await witness.step(`begin x${n}`, async () => {
          begun.producer = await log.initProducer({ transactionalId: 'mill' })
        })
        if (begun.producer !== undefined) {
          await transact(log, begun.producer, outcome, `x${n}`, witness)
        }
        await witness.record(log, 't', 0, `after-x${n}`)
      }
      await witness.record(log, 't', 0, 'probe')
      return log
    },
    verify: (log, testimony) => holdsTransactions(log, testimony, NAMES),
  }
}

/** The journal grows until it is compacted, under commits that go on. */
const compaction: Workload = {
  name: 'journal compaction',
  async prepare(place) {
    const log = await openWith(place, { partitions: 2 })
    for (const n of range(60)) await store(log, n)
    return log
  },
  async struck({ log }, witness) {
    if (log === undefined) return undefined
    for (const n of range(12)) await witness.step(`store ${n}`, () => store(log, 60 + n))
    await witness.record(log, 't', 0, 'probe')
    return log
  },
  async verify(log, testimony) {
    const [stored] = await log.readPositions(GROUP)
    const n = Number(stored?.metadata?.split(' ')[0]) - 60
    const steps = range(12)
    const done = steps.filter((step) => testimony.isDone(`store ${step}`))
    expectThat(n >= Math.max(-1, ...done), `the position is of ${n}`)
    expectThat(n < 0 || testimony.isBegun(`store ${n}`), `the position is of ${n}`)
  },
}

const METADATA_LENGTH = 3900

async function store(log: Log, n: number): Promise<void> {
  const { topicId } = await log.describeTopic('t')
  const position = { offset: 0, leaderEpoch: -1 }
  const metadata = `${n} `.padEnd(METADATA_LENGTH, '.')
  const stored = { topic: 't', partition: 0, topicId, position, metadata }
  await log.commitPositions({ group: GROUP, positions: [stored] })
}

const READ = 6

const group: Workload = {
  name: 'consumer group',
  async prepare(place, witness) {
    const log = await openWith(place, {})
    for (const n of range(READ)) await witness.record(log, 't', 0, `r${n}`)
    return log
  },
  async struck({ log }, witness) {
    if (log === undefined) return undefined
    const consumer = new Consumer(log, {
      group: GROUP,
      topics: ['t'],
      value: string,
      batchBytes: 400,
    })
    let read = 0
    await witness.step('read', async () => {
      for await (const batch of consumer) {
        const names = Array.from(batch.records(), ({ value }) => nameOf(value ?? ''))
        read += names.length
        await witness.step(`commit ${read}`, () => consumer.commit(batch))
        if (read >= READ) break
      }
    })
    await witness.step('leave', () => consumer.close())
    await witness.record(log, 't', 0, 'probe')
    return log
  },
  async verify(log, testimony) {
    const [stored] = await log.readPositions(GROUP)
    const offset = stored?.position.offset ?? 0
    const done = range(READ + 1).filter((n) => testimony.isDone(`commit ${n}`))
    expectThat(offset >= Math.max(0, ...done), `the group stands at ${offset}`)
    expectThat(offset === 0 || testimony.isBegun(`commit ${offset}`), `the group is at ${offset}`)
  },
}

export const workloads: readonly Workload[] = [
  transacting('commit', ['commit', 'commit']),
  transacting('abort', ['abort', 'commit']),
  compaction,
  group,
]
