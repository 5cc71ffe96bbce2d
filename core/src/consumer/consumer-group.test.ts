import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FencedError } from '../errors.ts'
import { nodeClock, sleep } from '../io/index.ts'
import type { GroupMember, Log, SyncGroupRequest } from '../log.ts'
import { Producer } from '../producer/index.ts'
import { drain, Reading, SMALL, take, type TextBatch, until, valuesOf } from './reading-fixture.ts'

const reading = new Reading()

beforeEach(async () => {
  await reading.open(await mkdtemp(join(tmpdir(), 'millrace-consumer-')))
})

afterEach(async () => {
  await rm(await reading.close(), { recursive: true, force: true })
})

describe('a group', () => {
  it('shares the partitions, each to one member, and takes over from one that leaves', async () => {
    const seen = new Map<string, string[]>([
      ['one', []],
      ['two', []],
    ])
    const one = reading.consume({ group: 'g' })
    const readings = [drain(one, (batch) => seen.get('one')?.push(...valuesOf(batch)))]
    await until(() => one.assignment.length === 2)
    const two = reading.consume({ group: 'g' })
    readings.push(drain(two, (batch) => seen.get('two')?.push(...valuesOf(batch))))
    await until(() => one.assignment.length === 1 && two.assignment.length === 1)
    expect(one.assignment).not.toEqual(two.assignment)
    await reading.write(0, 'a1')
    await reading.write(1, 'b1')
    await until(() => [...seen.values()].every((values) => values.length === 1))
    await one.close()
    await until(() => two.assignment.length === 2)
    await two.close()
    await Promise.all(readings)
  })

  it('waits with a rebalance for the batch in hand, which can still be committed', async () => {
    await reading.write(0, 'a1')
    const one = reading.consume({ group: 'g' })
    const batch = await take(one)
    const two = reading.consume({ group: 'g' })
    const loop = drain(two)
    await sleep(nodeClock, 100)
    expect(two.assignment).toEqual([])
    await one.commit(batch)
    const other = drain(one)
    await until(() => one.assignment.length === 1 && two.assignment.length === 1)
    await one.close()
    await two.close()
    await Promise.all([loop, other])
  })

  it('has its positions stored by a transaction with the records, or not at all', async () => {
    await reading.write(0, 'a1', 'a2')
    await reading.log.createTopic({ name: 'out' })
    const consumer = reading.consume({ group: 'g', ...SMALL })
    const producer = new Producer(reading.log, { transactionalId: 'p' })
    const copy = async (batch: TextBatch): Promise<void> => {
      await producer.beginTransaction()
      for (const value of valuesOf(batch)) void producer.send({ topic: 'out', value })
      await producer.flush()
    }
    await copy(await take(consumer))
    await producer.commitTransaction([consumer.positions()])
    await copy(await take(consumer))
    await producer.abortTransaction()
    await producer.close()
    await consumer.close()
    expect(await reading.log.readPositions('g')).toMatchObject([{ position: { offset: 1 } }])
    expect(valuesOf(await take(reading.consume({ topics: ['out'] })))).toEqual(['a1'])
    expect(valuesOf(await take(reading.consume({ group: 'g', ...SMALL })))).toEqual(['a2'])
  })

  it('goes on without a member whose batch takes too long, and that batch cannot be committed', async () => {
    await reading.write(0, 'a1')
    const one = reading.consume({ group: 'g', rebalanceTimeoutMs: 1000 })
    const batch = await take(one)
    const values: string[] = []
    const two = reading.consume({ group: 'g', rebalanceTimeoutMs: 1000 })
    const loop = drain(two, (other) => values.push(...valuesOf(other)))
    await until(() => values.length === 1)
    await expect(one.commit(batch)).rejects.toThrow(FencedError)
    await expect(one.commit(batch)).rejects.toThrow(FencedError)
    expect(await reading.log.readPositions('g')).toEqual([])
    const other = drain(one)
    await until(() => one.assignment.length === 1 && two.assignment.length === 1)
    await two.close()
    await until(() => one.assignment.length === 2)
    // The partition is its own again, but others have read it in between.
    await expect(one.commit(batch)).rejects.toThrow(FencedError)
    await one.close()
    await Promise.all([loop, other])
  })

  it('keeps a member whose body is slow, by heartbeats', async () => {
    await reading.write(0, 'a1')
    const sessionTimeoutMs = 2000
    const one = reading.consume({ group: 'g', sessionTimeoutMs })
    const batch = await take(one)
    await sleep(nodeClock, 1.5 * sessionTimeoutMs)
    await one.commit(batch)
    expect((await reading.log.describeGroup('g')).state).toBe('Stable')
  })

  it('leaves what stays with a member as it was: an older batch can be committed', async () => {
    await reading.write(0, 'a1', 'a2')
    await reading.write(1, 'b1', 'b2')
    const one = reading.consume({ group: 'g', ...SMALL })
    const batches = new Map<number, TextBatch>()
    for await (const batch of one) {
      if (!batches.has(batch.partition)) batches.set(batch.partition, batch)
      if (batches.size === 2) break
    }
    const two = reading.consume({ group: 'g', ...SMALL })
    const readings = [drain(one), drain(two)]
    await until(() => one.assignment.length === 1 && two.assignment.length === 1)
    const kept = one.assignment[0]?.partition ?? -1
    const batchOf = (partition: number): TextBatch | undefined => batches.get(partition)
    await one.commit(batchOf(kept))
    await expect(one.commit(batchOf(1 - kept))).rejects.toThrow(FencedError)
    await one.close()
    await two.close()
    await Promise.all(readings)
  })

  it('finds partitions that were added', async () => {
    const one = reading.consume({ group: 'g' })
    const values: string[] = []
    const loop = drain(one, (batch) => values.push(...valuesOf(batch)))
    await until(() => one.assignment.length === 2)
    await reading.log.addPartitions('t', 3)
    await until(() => one.assignment.length === 3)
    await reading.write(2, 'c1')
    await until(() => values.length === 1)
    await one.close()
    await loop
  })

  it('forgets positions it looked up while it was expelled, for others have read on since', async () => {
    await reading.write(0, 'a1', 'a2')
    const { log } = reading
    const { topicId } = await log.describeTopic('t')
    let member: GroupMember | undefined
    let lookUps = 0
    const told = Promise.withResolvers<void>()
    const slow: Log = Object.assign(Object.create(log) as Log, {
      fetch: log.fetch.bind(log),
      describeTopic: log.describeTopic.bind(log),
      findOffset: log.findOffset.bind(log),
      heartbeat: async (of: GroupMember) => {
        await log.heartbeat(of).catch((error: unknown) => {
          told.resolve()
          throw error
        })
      },
      joinGroup: log.joinGroup.bind(log),
      leaveGroup: log.leaveGroup.bind(log),
      commitPositions: log.commitPositions.bind(log),
      syncGroup: (request: SyncGroupRequest) => {
        member = request
        return log.syncGroup(request)
      },
      readPositions: async (group: string) => {
        const stored = await log.readPositions(group)
        if (++lookUps > 1 || member === undefined) return stored
        await log.leaveGroup(member)
        const position = { offset: 1, leaderEpoch: 0 }
        const committed = { topic: 't', partition: 0, topicId, position }
        await log.commitPositions({ group, positions: [committed] })
        await told.promise
        // Whoever sent the heartbeat hears of it before.
        await setImmediate()
        return stored
      },
    })
    expect(valuesOf(await take(reading.consume({ group: 'g', ...SMALL }, slow)))).toEqual(['a2'])
  })
})
