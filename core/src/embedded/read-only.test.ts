import { describe, expect, test } from 'vitest'
import type { Log } from '../log.ts'
import { open } from '../open.ts'
import {
  append,
  fetchFrom,
  readValues,
  simulatedPorts,
  type SimulatedPorts,
  valuesOf,
} from '../testing/index.ts'

async function ownerAndReader(): Promise<{ owner: Log; reader: Log; ports: SimulatedPorts }> {
  const ports = simulatedPorts()
  const owner = await open('/data', { ports })
  await owner.createTopic({ name: 't', partitions: 2, config: { segmentBytes: 2000 } })
  const reader = await open('/data', { ports, access: 'read-only' })
  return { owner, reader, ports }
}

/** Lets what is on its way be written, watermarks included. */
async function settle(ports: SimulatedPorts): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve()
  ports.clock.advance(20)
  for (let turn = 0; turn < 200; turn++) await Promise.resolve()
}

describe('a read-only log beside its owner', () => {
  test('shows what is durable, and follows the growth over rolls', async () => {
    const { owner, reader, ports } = await ownerAndReader()
    for (let n = 0; n < 20; n++) {
      await append(owner, 't', 0, [`${n}`.padEnd(300)])
      await settle(ports)
      const values = await readValues(reader, 't', 0)
      expect(values.map((value) => Number(value))).toEqual(
        Array.from({ length: n + 1 }, (_, i) => i),
      )
    }
  })

  test('wakes a fetch that waits', async () => {
    const { owner, reader, ports } = await ownerAndReader()
    const waiting = fetchFrom(reader, 't', 0, 0, { maxWaitMs: 10_000 })
    await append(owner, 't', 0, ['a'])
    expect(valuesOf((await ports.machine.until(waiting)).batches)).toEqual(['a'])
    expect(ports.clock.monotonicMs()).toBeLessThan(1000)
  })

  test('shows a transaction as a whole, and its positions', async () => {
    const { owner, reader, ports } = await ownerAndReader()
    const halves: unknown[] = []
    const partitions = [0, 1].map((partition) => ({
      topic: 't',
      partition,
      position: { offset: 0, leaderEpoch: -1 },
      maxBytes: 1000,
    }))
    const look = async (): Promise<void> => {
      const request = { maxWaitMs: 0, maxBytes: 10_000, partitions }
      const answer = await reader.fetch({ isolation: 'read_committed', ...request })
      const [first, second] = answer.partitions.map(({ batches }) => valuesOf(batches).length)
      if (first !== second) halves.push([first, second])
    }
    const producer = await owner.initProducer({ transactionalId: 'x' })
    const inside = { ...producer, baseSequence: 0, isTransactional: true }
    let looking = Promise.resolve()
    ports.fileSystem.onOperation = ({ kind }) => {
      if (kind === 'write' || kind === 'sync') looking = looking.then(look)
    }
    await append(owner, 't', 0, ['a'], inside)
    await append(owner, 't', 1, ['b'], inside)
    await look()
    const { topicId } = await owner.describeTopic('t')
    const position = { offset: 0, leaderEpoch: -1 }
    const stored = [{ topic: 't', partition: 0, topicId, position }]
    await owner.endTransaction({
      ...producer,
      outcome: 'commit',
      positions: [{ group: 'g', positions: stored }],
    })
    ports.fileSystem.onOperation = () => {}
    await looking
    await settle(ports)
    expect(await readValues(reader, 't', 0, 'read_committed')).toEqual(['a'])
    expect(await readValues(reader, 't', 1, 'read_committed')).toEqual(['b'])
    expect(await reader.readPositions('g')).toEqual(stored)
    expect(halves).toEqual([])
  })

  test('sees topics come and go', async () => {
    const { owner, reader, ports } = await ownerAndReader()
    await owner.createTopic({ name: 'second' })
    await append(owner, 'second', 0, ['a'])
    await settle(ports)
    expect(await readValues(reader, 'second', 0)).toEqual(['a'])
    await owner.deleteTopic('second')
    expect((await reader.listTopics()).map(({ name }) => name)).toEqual(['t'])
  })

  test('sees trimmed records go', async () => {
    const { owner, reader, ports } = await ownerAndReader()
    for (const value of ['a', 'b', 'c']) await append(owner, 't', 0, [value])
    await settle(ports)
    expect((await readValues(reader, 't', 0)).length).toBe(3)
    await owner.trim({ topic: 't', partition: 0 }, 2)
    expect(await readValues(reader, 't', 0)).toEqual(['c'])
  })

  test('writes no byte and refuses every change', async () => {
    const { owner, reader, ports } = await ownerAndReader()
    await owner.close()
    const changes: string[] = []
    ports.fileSystem.onOperation = ({ kind, path }) => {
      if (!['open', 'read', 'inspect'].includes(kind)) changes.push(`${kind} ${path}`)
    }
    const refused = { code: 'READ_ONLY' }
    await expect(reader.createTopic({ name: 'x' })).rejects.toMatchObject(refused)
    await expect(append(reader, 't', 0, ['a'])).rejects.toMatchObject(refused)
    await expect(reader.initProducer({})).rejects.toMatchObject(refused)
    await expect(reader.commitPositions({ group: 'g', positions: [] })).rejects.toMatchObject(
      refused,
    )
    await readValues(reader, 't', 0)
    await reader.close()
    expect(changes).toEqual([])
  })

  test('goes on when the owner is killed and another opens the log', async () => {
    const { owner, reader, ports } = await ownerAndReader()
    await append(owner, 't', 0, ['a'])
    await settle(ports)
    await owner.close()
    const next = await open('/data', { ports })
    await append(next, 't', 0, ['b'])
    await settle(ports)
    expect(await readValues(reader, 't', 0)).toEqual(['a', 'b'])
  })
})

test('after a power loss that took a watermark, all that is on the disk is to be seen, owner or not', async () => {
  const { owner, ports } = await ownerAndReader()
  const { machine } = ports
  await append(owner, 't', 0, ['a'])
  await settle(ports)
  await ports.fileSystem.remove('/data/t-0/durable-watermark')
  machine.losePower()
  const reader = await open('/data', { ports: machine.bootBeside(), access: 'read-only' })
  expect(await readValues(reader, 't', 0)).toEqual(['a'])
  const next = machine.boot()
  const reopened = await machine.until(open('/data', { ports: next }))
  expect(await readValues(reader, 't', 0)).toEqual(['a'])
  // From now on only what is durable: the journal of the next owner says so.
  await append(reopened, 't', 0, ['b'])
  await settle(next)
  expect(await readValues(reader, 't', 0)).toEqual(['a', 'b'])
})

test('a fetch that waits since before the first opening after a power loss gets what that appends', async () => {
  const { owner, ports } = await ownerAndReader()
  const { machine } = ports
  await append(owner, 't', 0, ['a'])
  await settle(ports)
  machine.losePower()
  const beside = machine.bootBeside()
  const reader = await open('/data', { ports: beside, access: 'read-only' })
  const waiting = fetchFrom(reader, 't', 0, 1, { maxWaitMs: 60_000 })
  await settle(beside)
  // A look at the disk that begins before somebody recovers the log, and ends after it.
  const { fileSystem } = beside
  const list = fileSystem.list.bind(fileSystem)
  const recovered = Promise.withResolvers<void>()
  let isLooking = false
  fileSystem.list = async (directory) => {
    isLooking = true
    await recovered.promise
    return list(directory)
  }
  beside.clock.advance(50)
  await settle(beside)
  expect(isLooking).toBe(true)
  const next = machine.boot()
  const reopened = await machine.until(open('/data', { ports: next }))
  recovered.resolve()
  await settle(beside)
  await append(reopened, 't', 0, ['b'])
  await settle(next)
  beside.clock.advance(50)
  const { batches, error } = await waiting
  expect(error).toBeUndefined()
  expect(valuesOf(batches)).toEqual(['b'])
})

test('there must be a log to read', async () => {
  const ports = simulatedPorts()
  await expect(open('/none', { ports, access: 'read-only' })).rejects.toThrow(/no log in \/none/)
})
