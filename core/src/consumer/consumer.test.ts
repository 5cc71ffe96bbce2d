import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { nodeClock, sleep } from '../io/index.ts'
import type { FetchRequest, FetchResult, Log } from '../log.ts'
import { Producer } from '../producer/index.ts'
import { Consumer } from './consumer.ts'
import {
  drain,
  FIRST,
  Reading,
  SMALL,
  take,
  takeValues,
  type TextBatch,
  until,
  valuesOf,
} from './reading-fixture.ts'

const reading = new Reading()

beforeEach(async () => {
  await reading.open(await mkdtemp(join(tmpdir(), 'millrace-consumer-')))
})

afterEach(async () => {
  await rm(await reading.close(), { recursive: true, force: true })
})

describe('a consumer', () => {
  it('reads all partitions of its topics, each in order, from the start', async () => {
    await reading.write(0, 'a1', 'a2', 'a3')
    await reading.write(1, 'b1', 'b2')
    const values = await takeValues(reading.consume({ ...SMALL }), 5)
    expect(values.toSorted()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2'])
    expect(values.filter((value) => value.startsWith('a'))).toEqual(['a1', 'a2', 'a3'])
  })

  it('reads only what it is assigned by hand', async () => {
    await reading.write(0, 'a1')
    await reading.write(1, 'b1')
    expect(
      valuesOf(await take(reading.consume({ assignment: [{ topic: 't', partition: 1 }] }))),
    ).toEqual(['b1'])
  })

  it('waits for records to come, and a close ends the wait', async () => {
    const consumer = reading.consume({})
    const values: string[] = []
    const loop = drain(consumer, (batch) => values.push(...valuesOf(batch)))
    await sleep(nodeClock, 20)
    await reading.write(0, 'a1')
    await until(() => values.length === 1)
    await consumer.close()
    await loop
    expect(values).toEqual(['a1'])
  })

  it('shows committed records only, unless told otherwise', async () => {
    const producer = new Producer(reading.log, { transactionalId: 'x' })
    await producer.beginTransaction()
    await producer.send({ topic: 't', partition: 0, value: 'aborted' })
    const uncommitted = reading.consume({ isolation: 'read_uncommitted' })
    expect(valuesOf(await take(uncommitted))).toEqual(['aborted'])
    await producer.abortTransaction()
    await producer.beginTransaction()
    await producer.send({ topic: 't', partition: 0, value: 'committed' })
    await producer.commitTransaction()
    expect(valuesOf(await take(reading.consume({})))).toEqual(['committed'])
    await producer.close()
  })

  it('needs either topics or an assignment', () => {
    expect(() => new Consumer(reading.log, {})).toThrow(UsageError)
    expect(() => new Consumer(reading.log, { topics: ['t'], assignment: [FIRST] })).toThrow(
      UsageError,
    )
  })

  it('says so when a topic is not there', async () => {
    await expect(take(reading.consume({ topics: ['missing'] }))).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
    })
  })

  it('names the record that its serdes cannot read', async () => {
    const producer = new Producer(reading.log)
    await producer.send({ topic: 't', partition: 0, value: Buffer.from([0xff]) })
    await producer.close()
    const batch = await take(reading.consume({ assignment: [FIRST] }))
    expect(() => valuesOf(batch)).toThrow(/Record 0 of t-0/)
    expect(batch.cursor().next()).toBe(true)
  })
})

describe('where a new group starts', () => {
  it('is the start of the log by default', async () => {
    await reading.write(0, 'a1')
    expect(valuesOf(await take(reading.consume({ group: 'g' })))).toEqual(['a1'])
  })

  it('is the end with `latest`', async () => {
    await reading.write(0, 'a1')
    const consumer = reading.consume({ group: 'g', start: 'latest', assignment: [FIRST] })
    await consumer.seek(FIRST, 'latest')
    await reading.write(0, 'a2')
    expect(valuesOf(await take(consumer))).toEqual(['a2'])
  })

  it('is nowhere with `error`', async () => {
    const consumer = reading.consume({ group: 'g', start: 'error' })
    await expect(take(consumer)).rejects.toMatchObject({ code: 'POSITION_MISSING' })
    await expect(take(consumer)).rejects.toMatchObject({ code: 'POSITION_MISSING' })
  })
})

describe('a commit', () => {
  it('covers the batch, and nothing that was only prefetched', async () => {
    await reading.write(0, 'a1', 'a2', 'a3')
    const consumer = reading.consume({ group: 'g', ...SMALL })
    const batch = await take(consumer)
    expect(valuesOf(batch)).toEqual(['a1'])
    await sleep(nodeClock, 50)
    await consumer.commit(batch)
    await consumer.close()
    expect(await takeValues(reading.consume({ group: 'g' }), 2)).toEqual(['a2', 'a3'])
  })

  it('without a batch covers all that were delivered', async () => {
    await reading.write(0, 'a1', 'a2', 'a3')
    const consumer = reading.consume({ group: 'g', ...SMALL })
    await takeValues(consumer, 2)
    await consumer.commit()
    await consumer.close()
    expect(await takeValues(reading.consume({ group: 'g' }), 1)).toEqual(['a3'])
  })

  it('survives a crash of the log', async () => {
    await reading.write(0, 'a1', 'a2')
    const consumer = reading.consume({ group: 'g', ...SMALL })
    await consumer.commit(await take(consumer))
    await consumer.close()
    await reading.reopen()
    expect(await takeValues(reading.consume({ group: 'g' }), 1)).toEqual(['a2'])
  })

  it('never happens by itself', async () => {
    await reading.write(0, 'a1')
    const consumer = reading.consume({ group: 'g' })
    await take(consumer)
    await consumer.close()
    expect(await reading.log.readPositions('g')).toEqual([])
  })

  it('needs a group', async () => {
    await reading.write(0, 'a1')
    const consumer = reading.consume({})
    await expect(consumer.commit(await take(consumer))).rejects.toThrow(UsageError)
  })
})

describe('a break', () => {
  it('ends the loop, not the consumer: the next loop goes on behind', async () => {
    await reading.write(0, 'a1', 'a2')
    const consumer = reading.consume({ assignment: [FIRST], ...SMALL })
    expect(valuesOf(await take(consumer))).toEqual(['a1'])
    expect(valuesOf(await take(consumer))).toEqual(['a2'])
  })

  it('by a throw is the same, and a seek gets the batch again', async () => {
    await reading.write(0, 'a1', 'a2')
    const consumer = reading.consume({ assignment: [FIRST], ...SMALL })
    let inHand: TextBatch | undefined
    const failing = drain(consumer, (batch) => {
      inHand = batch
      throw new Error('the body failed')
    })
    await expect(failing).rejects.toThrow('the body failed')
    await consumer.seek(FIRST, inHand?.baseOffset ?? -1)
    expect(valuesOf(await take(consumer))).toEqual(['a1'])
  })
})

describe('a position', () => {
  it('below the start of the log stops the consumer with the lost offsets named', async () => {
    await reading.write(0, 'a0', 'a1', 'a2', 'a3')
    await reading.log.trim(FIRST, 3)
    const consumer = reading.consume({ assignment: [FIRST] })
    await consumer.seek(FIRST, 1)
    await expect(take(consumer)).rejects.toThrow(/Offsets 1 to 2 of t-0 are lost/)
    await expect(take(consumer)).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      facts: { lostCount: 2 },
    })
    await consumer.seek(FIRST, 'earliest')
    expect(valuesOf(await take(consumer))).toEqual(['a3'])
  })

  it('of a topic that was made anew stops the consumer', async () => {
    await reading.write(0, 'a1', 'a2')
    const consumer = reading.consume({ group: 'g', ...SMALL })
    await consumer.commit(await take(consumer))
    await consumer.close()
    const { topicId } = await reading.log.describeTopic('t')
    const position = { offset: 1, leaderEpoch: -1 }
    await reading.log.deleteTopic('t')
    await reading.log.createTopic({ name: 't', partitions: 2 })
    await reading.write(0, 'new1', 'new2')
    const stale = { ...FIRST, topicId, position }
    const reader = reading.consume(
      { group: 'g', assignment: [FIRST] },
      withPositions(reading.log, [stale]),
    )
    await expect(take(reader)).rejects.toMatchObject({ code: 'POSITION_DIVERGED' })
  })

  it('can be found by offset, by end and by time', async () => {
    await reading.write(0, 'a10', 'a20', 'a30')
    const consumer = reading.consume({ assignment: [FIRST], ...SMALL })
    await consumer.seek(FIRST, 1)
    expect(valuesOf(await take(consumer))).toEqual(['a20'])
    await consumer.seek(FIRST, { timestampMs: 25 })
    expect(valuesOf(await take(consumer))).toEqual(['a30'])
    await consumer.seek(FIRST, 'earliest')
    expect(valuesOf(await take(consumer))).toEqual(['a10'])
    await expect(consumer.seek({ topic: 't', partition: 1 }, 0)).rejects.toThrow(UsageError)
  })

  it('inside a batch shows nothing before it', async () => {
    const producer = new Producer(reading.log)
    for (const value of ['a', 'b', 'c']) void producer.send({ topic: 't', partition: 0, value })
    await producer.close()
    const consumer = reading.consume({ assignment: [FIRST] })
    await consumer.seek(FIRST, 2)
    expect(valuesOf(await take(consumer))).toEqual(['c'])
  })
})

describe('a paused partition', () => {
  it('gives nothing until it is resumed, and then goes on where it was', async () => {
    await reading.write(0, 'a1', 'a2')
    await reading.write(1, 'b1', 'b2')
    const consumer = reading.consume({ ...SMALL })
    await take(consumer)
    await consumer.seek(FIRST, 'earliest')
    await consumer.seek({ topic: 't', partition: 1 }, 'earliest')
    consumer.pause([FIRST])
    expect(await takeValues(consumer, 2)).toEqual(['b1', 'b2'])
    consumer.resume([FIRST])
    expect(await takeValues(consumer, 2)).toEqual(['a1', 'a2'])
  })
})

describe('prefetching', () => {
  it('of a busy partition does not wait for a quiet one', async () => {
    const values = Array.from({ length: 40 }, (_, index) => `${index}`)
    await reading.write(0, ...values)
    // Were each batch to wait for the quiet partition's fetch, these would take 20 seconds.
    expect(await takeValues(reading.consume({ ...SMALL }), 40)).toEqual(values)
  })

  it('stops at its bytes', async () => {
    const values = Array.from({ length: 50 }, (_, index) => `${index}`.padEnd(1000, 'x'))
    await reading.write(0, ...values)
    let fetchedBytes = 0
    const counted = spyFetch(reading.log, ({ partitions }) => {
      for (const { batches } of partitions) fetchedBytes += batches.length
    })
    const consumer = reading.consume(
      { assignment: [FIRST], batchBytes: 5000, prefetchBytes: 10_000 },
      counted,
    )
    await take(consumer)
    await until(() => fetchedBytes > 5000)
    await sleep(nodeClock, 100)
    expect(fetchedBytes).toBeLessThanOrEqual(5000 + 10_000 + 2000)
    expect(await takeValues(consumer, 46)).toHaveLength(46)
  })
})

/** The same log with positions of a group that its real one would have forgotten. */
function withPositions(real: Log, positions: Awaited<ReturnType<Log['readPositions']>>): Log {
  return Object.assign(Object.create(real) as Log, {
    fetch: (request: FetchRequest) => real.fetch(request),
    describeTopic: (name: string) => real.describeTopic(name),
    readPositions: async () => positions,
  })
}

function spyFetch(real: Log, onFetched: (result: FetchResult) => void): Log {
  return Object.assign(Object.create(real) as Log, {
    findOffset: (request: Parameters<Log['findOffset']>[0]) => real.findOffset(request),
    describeTopic: (name: string) => real.describeTopic(name),
    async fetch(request: FetchRequest) {
      const result = await real.fetch(request)
      onFetched(result)
      return result
    },
  })
}
