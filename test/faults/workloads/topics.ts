import { type Log, open } from '@millrace/core'
import { expectThat } from '../expect-that.ts'
import { range } from '../ranges.ts'
import type { Testimony } from '../testimony.ts'
import type { Workload } from '../workload.ts'
import { openWith } from './records.ts'

const create: Workload = {
  name: 'create topics',
  prepare: ({ directory, ports }) => open(directory, { ports }),
  async struck({ log }, witness) {
    if (log === undefined) return undefined
    for (const name of ['t', 'u']) {
      await witness.step(`create ${name}`, async () => {
        await log.createTopic({ name, partitions: 2 })
      })
      await witness.record(log, name, 1, `in-${name}`)
    }
    return log
  },
  async verify(log, testimony) {
    for (const name of ['t', 'u']) {
      await holdsTopic(log, name, testimony, { made: `create ${name}` })
    }
  },
}

const remove: Workload = {
  name: 'delete a topic',
  async prepare(place, witness) {
    const log = await openWith(place, {})
    await log.createTopic({ name: 'passing', partitions: 2 })
    for (const n of range(3)) await witness.record(log, 't', 0, `r${n}`)
    return log
  },
  async struck({ log }, witness) {
    if (log === undefined) return undefined
    await witness.step('delete passing', () => log.deleteTopic('passing'))
    await witness.step('create passing', async () => {
      await log.createTopic({ name: 'passing' })
    })
    await witness.record(log, 't', 0, 'probe')
    return log
  },
  async verify(log, testimony) {
    const topics = await log.listTopics()
    const passing = topics.find(({ name }) => name === 'passing')
    const isDeleted = testimony.isDone('delete passing')
    const isMadeAgain = testimony.isDone('create passing')
    expectThat(!isMadeAgain || passing?.partitions.length === 1, 'it was made again')
    const isGone = passing === undefined || passing.partitions.length === 1
    expectThat(!isDeleted || isGone, 'it was deleted')
    const wasKept = !testimony.isBegun('delete passing')
    expectThat(!wasKept || passing?.partitions.length === 2, 'nobody deleted it')
  },
}

const alter: Workload = {
  name: 'alter a topic',
  prepare: (place) => openWith(place, { config: { durability: 'os' } }),
  async struck({ log }, witness) {
    if (log === undefined) return undefined
    await witness.record(log, 't', 0, 'before')
    await witness.step('alter', async () => {
      await log.alterTopic('t', { durability: 'fsync', segmentBytes: 4096 })
    })
    await witness.record(log, 't', 0, 'probe')
    return log
  },
  async verify(log, testimony) {
    const { config } = await log.describeTopic('t')
    const isAltered = config.durability === 'fsync' && config.segmentBytes === 4096
    const isAsBefore = config.durability === 'os' && config.segmentBytes > 4096
    expectThat(isAltered || isAsBefore, 'half of the settings were changed')
    expectThat(isAltered || !testimony.isDone('alter'), 'the change was lost')
  },
}

const grow: Workload = {
  name: 'add partitions',
  prepare: (place) => openWith(place, { partitions: 1 }),
  async struck({ log }, witness) {
    if (log === undefined) return undefined
    await witness.record(log, 't', 0, 'before')
    await witness.step('grow', async () => {
      await log.addPartitions('t', 3)
    })
    if ((await log.describeTopic('t')).partitions.length === 3) {
      await witness.record(log, 't', 2, 'in-2')
    }
    await witness.record(log, 't', 0, 'probe')
    return log
  },
  async verify(log, testimony) {
    const { length } = (await log.describeTopic('t')).partitions
    expectThat(length === 3 || length === 1, `half of the partitions were added: ${length}`)
    expectThat(length === 3 || !testimony.isDone('grow'), 'the added partitions are gone')
  },
}

/** A topic that was made is there, one that was refused is not. */
async function holdsTopic(
  log: Log,
  name: string,
  testimony: Testimony,
  { made }: { readonly made: string },
): Promise<void> {
  const isThere = (await log.listTopics()).some((topic) => topic.name === name)
  expectThat(isThere || !testimony.isDone(made), `${name} is gone`)
  expectThat(!isThere || testimony.isBegun(made), `${name} came from nowhere`)
}

export const workloads: readonly Workload[] = [create, remove, alter, grow]
