import { describe, expect, test } from 'vitest'
import type { Log } from '../log.ts'
import { open } from '../open.ts'
import {
  append,
  batchOf,
  fetchFrom,
  simulatedPorts,
  type SimulatedPorts,
  valuesOf,
} from '../testing/index.ts'

async function newLog(partitions = 1): Promise<{ log: Log; ports: SimulatedPorts }> {
  const ports = simulatedPorts()
  const log = await open('/data', { ports })
  await log.createTopic({ name: 't', partitions })
  return { log, ports }
}

describe('a fetch', () => {
  test('answers with whole batches as they were appended, and where to go on', async () => {
    const { log } = await newLog()
    await append(log, 't', 0, ['a', 'b', 'c'])
    await append(log, 't', 0, ['d'])
    const fetched = await fetchFrom(log, 't', 0, 1)
    expect(valuesOf(fetched.batches)).toEqual(['a', 'b', 'c', 'd'])
    expect(fetched).toMatchObject({ nextOffset: 4, nextLeaderEpoch: 0, highWatermark: 4 })
  })

  test('gives no more than maxBytes, but always the first batch', async () => {
    const { log } = await newLog()
    const large = 'x'.repeat(10_000)
    for (const value of [large, 'b', 'c']) await append(log, 't', 0, [value])
    expect(valuesOf((await fetchFrom(log, 't', 0, 0, { maxBytes: 100 })).batches)).toEqual([large])
    const batchBytes = batchOf(['b']).length
    const two = await fetchFrom(log, 't', 0, 1, { maxBytes: 2 * batchBytes })
    expect(valuesOf(two.batches)).toEqual(['b', 'c'])
    const one = await fetchFrom(log, 't', 0, 1, { maxBytes: 2 * batchBytes - 1 })
    expect(valuesOf(one.batches)).toEqual(['b'])
  })

  test('at the end waits for the next append, and is woken by it', async () => {
    const { log, ports } = await newLog()
    const waiting = fetchFrom(log, 't', 0, 0, { maxWaitMs: 1_000_000 })
    await append(log, 't', 0, ['a'])
    expect(valuesOf((await waiting).batches)).toEqual(['a'])
    expect(ports.clock.monotonicMs()).toBe(0)
  })

  test('at the end answers with nothing when its time is over', async () => {
    const { log, ports } = await newLog()
    const waiting = fetchFrom(log, 't', 0, 0, { maxWaitMs: 500 })
    expect((await ports.machine.until(waiting)).batches.length).toBe(0)
    expect(ports.clock.monotonicMs()).toBe(500)
  })

  test('waits until minBytes have come together', async () => {
    const { log } = await newLog(2)
    const batchBytes = batchOf(['a']).length
    const partitions = [0, 1].map((partition) => ({
      topic: 't',
      partition,
      position: { offset: 0, leaderEpoch: -1 },
      maxBytes: 1000,
    }))
    let answered = false
    const request = { maxWaitMs: 1_000_000, minBytes: 2 * batchBytes, maxBytes: 10_000 }
    const waiting = log
      .fetch({ isolation: 'read_uncommitted', ...request, partitions })
      .finally(() => (answered = true))
    await append(log, 't', 0, ['a'])
    for (let turn = 0; turn < 100; turn++) await Promise.resolve()
    expect(answered).toBe(false)
    await append(log, 't', 1, ['b'])
    const values = (await waiting).partitions.map(({ batches }) => valuesOf(batches))
    expect(values).toEqual([['a'], ['b']])
  })

  test('shares maxBytes over its partitions, in the order asked', async () => {
    const { log } = await newLog(2)
    await append(log, 't', 0, ['a'])
    await append(log, 't', 1, ['b'])
    const partitions = [1, 0].map((partition) => ({
      topic: 't',
      partition,
      position: { offset: 0, leaderEpoch: -1 },
      maxBytes: 1000,
    }))
    const request = { maxWaitMs: 0, maxBytes: batchOf(['a']).length, partitions }
    const answer = await log.fetch({ isolation: 'read_uncommitted', ...request })
    expect(answer.partitions.map(({ batches }) => valuesOf(batches))).toEqual([['b'], []])
    expect(answer.partitions[1]?.nextOffset).toBe(0)
  })

  test.each([
    ['past the end', 5, 'OFFSET_OUT_OF_RANGE'],
    ['below the start', 0, 'OFFSET_OUT_OF_RANGE'],
  ])('%s is out of range, and does not wait', async (_, offset, code) => {
    const { log } = await newLog()
    await append(log, 't', 0, ['a', 'b', 'c'])
    await log.trim({ topic: 't', partition: 0 }, 1)
    const { error } = await fetchFrom(log, 't', 0, offset, { maxWaitMs: 1_000_000 })
    expect(error?.code).toBe(code)
    expect(error?.facts).toMatchObject({ startOffset: 1, endOffset: 3 })
  })

  test('of a topic that does not exist says so, and answers for the others', async () => {
    const { log } = await newLog()
    await append(log, 't', 0, ['a'])
    const partitions = ['none', 't'].map((topic) => ({
      topic,
      partition: 0,
      position: { offset: 0, leaderEpoch: -1 },
      maxBytes: 1000,
    }))
    const request = { maxWaitMs: 1_000_000, minBytes: 5000, maxBytes: 10_000, partitions }
    const answer = await log.fetch({ isolation: 'read_uncommitted', ...request })
    expect(answer.partitions[0]?.error?.code).toBe('TOPIC_NOT_FOUND')
    expect(valuesOf(answer.partitions[1]?.batches ?? new Uint8Array(0))).toEqual(['a'])
  })

  test('that waits ends with the log', async () => {
    const { log } = await newLog()
    const waiting = fetchFrom(log, 't', 0, 0, { maxWaitMs: 1_000_000 })
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    await log.close()
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(fetchFrom(log, 't', 0, 0)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('reports a disk that cannot be read as an error of that partition, never as the end', async () => {
    const { log, ports } = await newLog()
    await append(log, 't', 0, ['a'])
    ports.fileSystem.faults = ({ kind }) => (kind === 'read' ? 'EIO' : undefined)
    expect((await fetchFrom(log, 't', 0, 0)).error?.code).toBe('UNAVAILABLE')
  })
})

describe('finding an offset', () => {
  test('by time gives the first record at or after it', async () => {
    const { log } = await newLog()
    for (const timestampMs of [100, 300, 200, 400]) {
      await log.append({ topic: 't', partition: 0, batch: batchOf(['v'], { timestampMs }) })
    }
    const find = async (timestampMs: number): Promise<number> =>
      (await log.findOffset({ topic: 't', partition: 0, at: { timestampMs } })).offset
    expect(await Promise.all([0, 100, 101, 250, 301, 400, 401].map(find))).toEqual([
      0, 0, 1, 1, 3, 3, 4,
    ])
  })

  test('at the ends comes with the epoch of the record before', async () => {
    const { log } = await newLog()
    const at = { topic: 't', partition: 0 } as const
    expect(await log.findOffset({ ...at, at: 'latest' })).toEqual({ offset: 0, leaderEpoch: -1 })
    await append(log, 't', 0, ['a'])
    expect(await log.findOffset({ ...at, at: 'latest' })).toEqual({ offset: 1, leaderEpoch: 0 })
    expect(await log.findOffset({ ...at, at: 'earliest' })).toEqual({ offset: 0, leaderEpoch: -1 })
  })
})
