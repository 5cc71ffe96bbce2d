import { describe, expect, test } from 'vitest'
import { readControlBatch } from '../batch/control.ts'
import { readHeader } from '../batch/header.ts'
import type { BatchOptions } from '../batch/index.ts'
import type { Log, ProducerIdentity } from '../log.ts'
import { open } from '../open.ts'
import {
  append,
  fetchFrom,
  readValues,
  simulatedPorts,
  type SimulatedPorts,
  valuesOf,
} from '../testing/index.ts'

const inside = (producer: ProducerIdentity, baseSequence = 0): BatchOptions => ({
  ...producer,
  baseSequence,
  isTransactional: true,
})

async function logWithTopics(): Promise<{ log: Log; ports: SimulatedPorts; topicId: string }> {
  const ports = simulatedPorts()
  const log = await open('/data', { ports })
  const { topicId } = await log.createTopic({ name: 'in' })
  await log.createTopic({ name: 'out', partitions: 2 })
  return { log, ports, topicId }
}

function positions(topicId: string, offset: number) {
  const position = { offset, leaderEpoch: 0 }
  return [{ group: 'g', positions: [{ topic: 'in', partition: 0, topicId, position }] }]
}

describe('a transaction', () => {
  test('shows its records and stores its positions together, when it is committed', async () => {
    const { log, topicId } = await logWithTopics()
    await append(log, 'in', 0, ['i0', 'i1'])
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['a'], inside(producer))
    await append(log, 'out', 1, ['b'], inside(producer))
    expect(await readValues(log, 'out', 0, 'read_committed')).toEqual([])
    expect(await log.readPositions('g')).toEqual([])
    await log.endTransaction({ ...producer, outcome: 'commit', positions: positions(topicId, 2) })
    expect(await readValues(log, 'out', 0, 'read_committed')).toEqual(['a'])
    expect(await readValues(log, 'out', 1, 'read_committed')).toEqual(['b'])
    expect(await log.readPositions('g')).toEqual(positions(topicId, 2)[0]?.positions)
  })

  test('survives a crash as soon as its commit is answered, also where its markers do not', async () => {
    const { log, ports, topicId } = await logWithTopics()
    await append(log, 'in', 0, ['i0'])
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['a'], inside(producer))
    await append(log, 'out', 1, ['b'], inside(producer))
    await log.endTransaction({ ...producer, outcome: 'commit', positions: positions(topicId, 1) })
    ports.machine.losePower()
    const again = await open('/data', { ports: ports.machine.boot() })
    expect(await readValues(again, 'out', 0, 'read_committed')).toEqual(['a'])
    expect(await readValues(again, 'out', 1, 'read_committed')).toEqual(['b'])
    expect((await again.readPositions('g')).length).toBe(1)
  })

  test('leaves no record to committed readers when it is aborted, and its marker stays', async () => {
    const { log } = await logWithTopics()
    await append(log, 'out', 0, ['before'])
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['void', 'void'], inside(producer))
    await append(log, 'out', 0, ['between'])
    await append(log, 'out', 0, ['void'], inside(producer, 2))
    await log.endTransaction({ ...producer, outcome: 'abort' })
    await append(log, 'out', 0, ['after'])
    const { batches, nextOffset } = await fetchFrom(log, 'out', 0, 0, {
      isolation: 'read_committed',
    })
    expect(valuesOf(batches)).toEqual(['before', 'between', 'after'])
    expect(nextOffset).toBe(7)
    const control = findControl(batches)
    expect(control).toMatchObject({ outcome: 'abort', producerId: producer.producerId })
    expect(await readValues(log, 'out', 0)).toEqual([
      'before',
      'void',
      'void',
      'between',
      'void',
      'after',
    ])
  })

  test('that a crash left open is aborted at the next opening, and its producer fenced', async () => {
    const { log, ports } = await logWithTopics()
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['void'], inside(producer))
    await append(log, 'out', 0, ['kept'])
    const again = await open('/data', { ports: ports.machine.boot() })
    expect(await readValues(again, 'out', 0, 'read_committed')).toEqual(['kept'])
    await expect(append(again, 'out', 0, ['late'], inside(producer, 1))).rejects.toMatchObject({
      code: 'PRODUCER_FENCED',
    })
    await expect(again.endTransaction({ ...producer, outcome: 'commit' })).rejects.toMatchObject({
      code: 'PRODUCER_FENCED',
    })
  })

  test('holds back committed readers of its partitions until it is decided, and no others', async () => {
    const { log } = await logWithTopics()
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['open'], inside(producer))
    await append(log, 'out', 0, ['plain'])
    await append(log, 'out', 1, ['plain'])
    expect(await readValues(log, 'out', 0, 'read_committed')).toEqual([])
    expect(await readValues(log, 'out', 1, 'read_committed')).toEqual(['plain'])
    expect(
      (
        await log.findOffset({
          topic: 'out',
          partition: 0,
          at: 'latest',
          isolation: 'read_committed',
        })
      ).offset,
    ).toBe(0)
    await log.endTransaction({ ...producer, outcome: 'commit' })
    expect(await readValues(log, 'out', 0, 'read_committed')).toEqual(['open', 'plain'])
  })

  test('is never half visible to one fetch over its partitions', async () => {
    const { log, ports } = await logWithTopics()
    const halves: unknown[] = []
    const partitions = [0, 1].map((partition) => ({
      topic: 'out',
      partition,
      position: { offset: 0, leaderEpoch: -1 },
      maxBytes: 1000,
    }))
    const look = async (): Promise<void> => {
      const request = { maxWaitMs: 0, maxBytes: 10_000, partitions }
      const answer = await log.fetch({ isolation: 'read_committed', ...request })
      const [first, second] = answer.partitions.map(({ batches }) => valuesOf(batches).length)
      if (first !== second) halves.push([first, second])
    }
    ports.fileSystem.onOperation = ({ kind }) => void (kind === 'read' || look())
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['a'], inside(producer))
    await append(log, 'out', 1, ['a'], inside(producer))
    await log.endTransaction({ ...producer, outcome: 'commit' })
    ports.fileSystem.onOperation = () => {}
    expect(halves).toEqual([])
  })

  test('costs a sync per partition and one for the decision', async () => {
    const { log, ports } = await logWithTopics()
    const warm = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['a'], inside(warm))
    await append(log, 'out', 1, ['a'], inside(warm))
    const producer = await log.endTransaction({ ...warm, outcome: 'commit' })
    const synced: string[] = []
    ports.fileSystem.onOperation = ({ kind, path }) => {
      if (kind === 'sync') synced.push(path.split('/')[2] ?? '')
    }
    await append(log, 'out', 0, ['b'], inside(producer))
    await append(log, 'out', 1, ['b'], inside(producer))
    await log.endTransaction({ ...producer, outcome: 'commit' })
    expect(synced.toSorted()).toEqual(['__commit_journal-0', 'out-0', 'out-1'])
  })
})

describe('a transactional id', () => {
  test('belongs to the newest holder: older ones are fenced, their open transaction is aborted', async () => {
    const { log } = await logWithTopics()
    const old = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['void'], inside(old))
    const newest = await log.initProducer({ transactionalId: 'x' })
    expect(newest.producerId).toBe(old.producerId)
    expect(newest.producerEpoch).toBeGreaterThan(old.producerEpoch)
    await expect(append(log, 'out', 0, ['late'], inside(old, 1))).rejects.toMatchObject({
      code: 'PRODUCER_FENCED',
    })
    await expect(log.endTransaction({ ...old, outcome: 'commit' })).rejects.toMatchObject({
      code: 'PRODUCER_FENCED',
    })
    await append(log, 'out', 0, ['kept'], inside(newest))
    await log.endTransaction({ ...newest, outcome: 'commit' })
    expect(await readValues(log, 'out', 0, 'read_committed')).toEqual(['kept'])
  })

  test('keeps its producer id and never repeats an epoch, over restarts too', async () => {
    const { log, ports } = await logWithTopics()
    const first = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['a'], inside(first))
    const second = await log.endTransaction({ ...first, outcome: 'commit' })
    expect(second).toEqual({ ...first, producerEpoch: first.producerEpoch + 1 })
    const again = await open('/data', { ports: ports.machine.boot() })
    const third = await again.initProducer({ transactionalId: 'x' })
    expect(third.producerId).toBe(first.producerId)
    expect(third.producerEpoch).toBeGreaterThan(second.producerEpoch)
  })

  test('gets another producer id when its epochs are used up', async () => {
    const { log, ports } = await logWithTopics()
    let producer = await log.initProducer({ transactionalId: 'x' })
    for (let epoch = producer.producerEpoch; epoch < 32_767; epoch++) {
      producer = await log.initProducer({ transactionalId: 'x' })
    }
    expect(producer.producerEpoch).toBe(32_767)
    await append(log, 'out', 0, ['a'], inside(producer))
    const next = await log.endTransaction({ ...producer, outcome: 'commit' })
    expect(next.producerEpoch).toBe(0)
    expect(next.producerId).not.toBe(producer.producerId)
    await expect(append(log, 'out', 0, ['late'], inside(producer, 1))).rejects.toMatchObject({
      code: 'PRODUCER_FENCED',
    })
    await append(log, 'out', 0, ['b'], inside(next))
    await log.endTransaction({ ...next, outcome: 'commit' })
    await log.close()
    // So many entries must not be kept: the journal stays small.
    const journal = [...ports.machine.disk.files()].filter(([path]) => /journal.*\.log$/.test(path))
    expect(journal.reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0)).toBeLessThan(1_000_000)
    const again = await open('/data', { ports: ports.machine.boot() })
    expect(await readValues(again, 'out', 0, 'read_committed')).toEqual(['a', 'b'])
  })

  test('may be asked for by many at once: one of them holds it', async () => {
    const { log } = await logWithTopics()
    const asked = await Promise.all(
      Array.from({ length: 5 }, () => log.initProducer({ transactionalId: 'x' })),
    )
    expect(new Set(asked.map(({ producerEpoch }) => producerEpoch)).size).toBe(5)
    const results = await Promise.allSettled(
      asked.map((producer) => append(log, 'out', 0, ['a'], inside(producer))),
    )
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1)
  })
})

test('deleting a topic while a transaction that wrote to it commits harms neither the transaction nor the log', async () => {
  for (let turns = 0; turns < 60; turns++) {
    const { log, ports } = await logWithTopics()
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['a'], inside(producer))
    await append(log, 'in', 0, ['b'], inside(producer))
    const deleted = log.deleteTopic('out')
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    const ended = log.endTransaction({ ...producer, outcome: 'commit' })
    await Promise.all([deleted, ended])
    await append(log, 'in', 0, ['c'])
    expect(await readValues(log, 'in', 0, 'read_committed')).toEqual(['b', 'c'])
    await log.close()
    const again = await open('/data', { ports })
    expect(await readValues(again, 'in', 0, 'read_committed')).toEqual(['b', 'c'])
  }
})

describe('a transaction over a topic that is deleted', () => {
  test('is committed in what is left', async () => {
    const { log } = await logWithTopics()
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'in', 0, ['a'], inside(producer))
    await append(log, 'out', 0, ['b'], inside(producer))
    await log.deleteTopic('in')
    await log.endTransaction({ ...producer, outcome: 'commit' })
    expect(await readValues(log, 'out', 0, 'read_committed')).toEqual(['b'])
  })

  test('takes no harm from ending while it goes, and neither does the log', async () => {
    const { log, topicId } = await logWithTopics()
    await append(log, 'in', 0, ['i0'])
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'in', 0, ['a'], inside(producer))
    await append(log, 'out', 0, ['b'], inside(producer))
    const ended = log.endTransaction({
      ...producer,
      outcome: 'commit',
      positions: positions(topicId, 1),
    })
    await Promise.allSettled([log.deleteTopic('in'), ended])
    await append(log, 'out', 1, ['c'])
    expect(await readValues(log, 'out', 1, 'read_committed')).toEqual(['c'])
  })
})

describe('a transaction in a damaged partition', () => {
  test('is told as damage to committed readers, who do not wait for its end', async () => {
    const { log, ports } = await logWithTopics()
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['a'], inside(producer))
    await append(log, 'out', 1, ['b'], inside(producer))
    await log.endTransaction({ ...producer, outcome: 'commit' })
    await log.close()
    const path = 'data/out-0/00000000000000000000.log'
    const markerBytes = 78
    const image = ports.machine.disk.files().get(path)
    image?.rot(image.sizeBytes - markerBytes + 16, 1)
    const again = await open('/data', { ports: ports.machine.boot() })
    const request = { isolation: 'read_committed', maxWaitMs: 1_000_000 } as const
    expect((await fetchFrom(again, 'out', 0, 0, request)).error?.code).toBe('CORRUPT_DATA')
    expect(await readValues(again, 'out', 1, 'read_committed')).toEqual(['b'])
    await again.close()
    image?.rot(image.sizeBytes - markerBytes + 16, 1)
    const whole = await open('/data', { ports: ports.machine.boot() })
    expect(await readValues(whole, 'out', 0, 'read_committed')).toEqual(['a'])
  })
})

describe('misuse', () => {
  test('an end without a transaction changes nothing', async () => {
    const { log } = await logWithTopics()
    const producer = await log.initProducer({ transactionalId: 'x' })
    expect(await log.endTransaction({ ...producer, outcome: 'commit' })).toEqual(producer)
  })

  test('an append while its transaction is being ended is refused', async () => {
    const { log } = await logWithTopics()
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['a'], inside(producer))
    const ending = log.endTransaction({ ...producer, outcome: 'commit' })
    await expect(append(log, 'out', 0, ['b'], inside(producer, 1))).rejects.toMatchObject({
      code: 'TRANSACTION_STATE',
    })
    await ending
  })

  test('a transactional batch of an unknown producer is refused', async () => {
    const { log } = await logWithTopics()
    const unknown = { producerId: 77, producerEpoch: 0 }
    await expect(append(log, 'out', 0, ['a'], inside(unknown))).rejects.toMatchObject({
      code: 'PRODUCER_FENCED',
    })
  })

  test('a commit that the disk has no room for can be tried again', async () => {
    const { log, ports } = await logWithTopics()
    const producer = await log.initProducer({ transactionalId: 'x' })
    await append(log, 'out', 0, ['a'], inside(producer))
    const { disk } = ports.machine
    disk.capacityBytes = disk.usedBytes
    await expect(log.endTransaction({ ...producer, outcome: 'commit' })).rejects.toMatchObject({
      code: 'DISK_FULL',
    })
    expect(await readValues(log, 'out', 0, 'read_committed')).toEqual([])
    disk.capacityBytes = Infinity
    await log.endTransaction({ ...producer, outcome: 'commit' })
    expect(await readValues(log, 'out', 0, 'read_committed')).toEqual(['a'])
  })
})

function findControl(batches: Uint8Array): unknown {
  for (let at = 0; at < batches.length;) {
    const header = readHeader(batches, at)
    if (header.isControl) return readControlBatch(batches, at)
    at += header.sizeBytes
  }
  return undefined
}
