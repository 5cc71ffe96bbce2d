import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BatchReader } from '../batch/index.ts'
import {
  ClosedError,
  FailedError,
  FencedError,
  RejectedError,
  UnavailableError,
  UsageError,
} from '../errors.ts'
import { nodeClock, sleep } from '../io/index.ts'
import type { AppendRequest, AppendResult, Log } from '../log.ts'
import { open } from '../open.ts'
import { json, string } from '../serdes/index.ts'
import { partitionOfKey } from './partitioner.ts'
import { Producer } from './producer.ts'

let directory: string
let log: Log

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-producer-'))
  log = await open(directory)
  await createTopic('t', 1)
})

afterEach(async () => {
  await log.close()
  await rm(directory, { recursive: true, force: true })
})

async function createTopic(
  name: string,
  partitions: number,
  maxMessageBytes?: number,
): Promise<void> {
  const limit = maxMessageBytes === undefined ? {} : { maxMessageBytes }
  await log.createTopic({ name, partitions, config: { durability: 'memory', ...limit } })
}

async function readAll(
  topic = 't',
  partition = 0,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_committed',
): Promise<string[]> {
  const values: string[] = []
  for (let position = { offset: 0, leaderEpoch: -1 }; ;) {
    const { partitions } = await log.fetch({
      isolation,
      maxWaitMs: 0,
      maxBytes: 1 << 24,
      partitions: [{ topic, partition, position, maxBytes: 1 << 24 }],
    })
    const fetched = partitions[0]
    if (fetched === undefined || fetched.nextOffset === position.offset) return values
    const reader = new BatchReader(fetched.batches)
    while (reader.next()) values.push(String(Buffer.from(reader.value ?? [])))
    position = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
  }
}

type Append = (request: AppendRequest, call: number) => Promise<AppendResult>

/** The real log, with faults between it and the producer. */
function faulty(append: Append, real: Log = log): Log {
  let calls = 0
  return Object.assign(Object.create(null) as Log, {
    describeTopic: (name: string) => real.describeTopic(name),
    initProducer: (request: { transactionalId?: string }) => real.initProducer(request),
    endTransaction: (request: Parameters<Log['endTransaction']>[0]) => real.endTransaction(request),
    append: (request: AppendRequest) => append(request, calls++),
  })
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index}`)
}

const UNAVAILABLE = new UnavailableError('UNAVAILABLE', 'not now')

describe('a producer', () => {
  it('acknowledges each record with the place where it is', async () => {
    await createTopic('many', 3)
    const producer = new Producer(log, { batchBytes: 300 })
    const values = numbers(200)
    const places = await Promise.all(
      values.map((value) => producer.send({ topic: 'many', key: `k${value}`, value })),
    )
    const stored = await Promise.all([0, 1, 2].map((partition) => readAll('many', partition)))
    for (const [index, { partition, offset }] of places.entries()) {
      expect(stored[partition]?.[offset]).toBe(values[index])
    }
    expect(stored.flat()).toHaveLength(200)
    await producer.close()
  })

  it('keeps the order of sends, awaited or not', async () => {
    const producer = new Producer(log, { batchBytes: 200 })
    for (const value of numbers(300)) {
      const sent = producer.send({ topic: 't', value })
      if (Number(value) % 37 === 0) await sent
    }
    await producer.close()
    expect(await readAll()).toEqual(numbers(300))
  })

  it('sends what comes in one turn of the event loop as one batch', async () => {
    let batches = 0
    const counted = faulty((request) => {
      batches++
      return log.append(request)
    })
    const producer = new Producer(counted)
    for (const value of numbers(100)) void producer.send({ topic: 't', value })
    await producer.flush()
    expect(batches).toBe(1)
    await producer.close()
  })

  it('waits for company as long as it lingers, unless it is flushed', async () => {
    const producer = new Producer(log, { lingerMs: 60_000 })
    const sent = producer.send({ topic: 't', value: 'a' })
    await sleep(nodeClock, 20)
    expect(await readAll()).toEqual([])
    await producer.flush()
    expect(await sent).toMatchObject({ offset: 0 })
    await producer.close()
  })

  it('writes values with its serdes and refuses what does not fit, disturbing nothing else', async () => {
    const producer = new Producer(log, { key: string, value: json() })
    const before = producer.send({ topic: 't', key: 'k', value: { n: 1 } })
    await expect(producer.send({ topic: 't', value: { n: Number.NaN } })).rejects.toMatchObject({
      code: 'RECORD_INVALID',
    })
    await producer.send({ topic: 't', value: { n: 2 } })
    expect(await before).toMatchObject({ offset: 0 })
    await producer.close()
    expect(await readAll()).toEqual(['{"n":1}', '{"n":2}'])
  })

  it('refuses what it cannot write, disturbing nothing else', async () => {
    const producer = new Producer(log)
    const refused = [
      { value: 'a', timestampMs: -1 },
      { value: 'a', timestampMs: 0.5 },
      { value: 5 as unknown as string },
      { value: undefined as unknown as string },
      { value: 'a\ud800' },
      { value: 'a', headers: [{ key: 'h', value: 'text' as unknown as Uint8Array }] },
    ]
    for (const record of refused) {
      await expect(producer.send({ topic: 't', ...record })).rejects.toMatchObject({
        code: 'RECORD_INVALID',
      })
    }
    await producer.flush()
    expect(await producer.send({ topic: 't', value: 'a' })).toMatchObject({ offset: 0 })
    await producer.close()
  })

  it('refuses a record that is too large, disturbing nothing else', async () => {
    await createTopic('small', 1, 500)
    const producer = new Producer(log)
    const before = producer.send({ topic: 'small', value: 'a' })
    await expect(producer.send({ topic: 'small', value: 'x'.repeat(500) })).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
    })
    const after = producer.send({ topic: 'small', value: 'é'.repeat(150) })
    expect([await before, await after]).toMatchObject([{ offset: 0 }, { offset: 1 }])
    await producer.close()
  })

  it('says so when the topic is not there', async () => {
    const producer = new Producer(log)
    await expect(producer.send({ topic: 'missing', value: 'a' })).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
    })
    await producer.send({ topic: 't', value: 'b' })
    await producer.close()
    await expect(producer.send({ topic: 't', value: 'c' })).rejects.toThrow(ClosedError)
  })

  it('throws a failure that nobody awaited at the next flush, once', async () => {
    const failing = faulty(() => Promise.reject(new FailedError('LOG_FAILED', 'the disk is gone')))
    const producer = new Producer(failing)
    void producer.send({ topic: 't', value: 'a' })
    await expect(producer.flush()).rejects.toThrow(FailedError)
    await producer.flush()
    await expect(producer.send({ topic: 't', value: 'b' })).rejects.toThrow(FailedError)
    await producer.close()
  })
})

describe('partitions', () => {
  it('are chosen by the key as Kafka does, by hand, or by any criterion', async () => {
    await createTopic('many', 5)
    const producer = new Producer(log)
    for (const key of ['a', 'b', 'foobar']) {
      const sent = await producer.send({ topic: 'many', key, value: 'v' })
      expect(sent.partition).toBe(partitionOfKey(key, 5))
    }
    expect(
      await producer.send({ topic: 'many', partition: 4, key: 'a', value: 'v' }),
    ).toMatchObject({
      partition: 4,
    })
    await expect(producer.send({ topic: 'many', partition: 5, value: 'v' })).rejects.toThrow(
      UsageError,
    )
    const chosen = new Producer(log, {
      partitionBy: (_key, value, count) => Number(value) % count,
    })
    expect(await chosen.send({ topic: 'many', value: '13' })).toMatchObject({ partition: 3 })
    await producer.close()
    await chosen.close()
  })

  it('without a key stay the same for a batch, and all get their share', async () => {
    await createTopic('many', 4)
    const producer = new Producer(log)
    const used = new Set<number>()
    for (let turn = 0; turn < 8; turn++) {
      const sends = ['a', 'b', 'c'].map((value) => producer.send({ topic: 'many', value }))
      const places = new Set((await Promise.all(sends)).map(({ partition }) => partition))
      expect(places.size).toBe(1)
      for (const partition of places) used.add(partition)
    }
    expect(used.size).toBe(4)
    await producer.close()
  })

  it('that were added are found', async () => {
    const producer = new Producer(log)
    await producer.send({ topic: 't', value: 'a' })
    await log.addPartitions('t', 2)
    expect(await producer.send({ topic: 't', partition: 1, value: 'b' })).toMatchObject({
      partition: 1,
    })
    await producer.close()
  })
})

describe('back-pressure', () => {
  it('makes sends wait while the byte budget is used up, and keeps their order', async () => {
    const gate = Promise.withResolvers<void>()
    const held = faulty(async (request) => {
      await gate.promise
      return log.append(request)
    })
    const producer = new Producer(held, { bufferBytes: 10_000, batchBytes: 1000 })
    const values = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(500, '.'))
    const sends = values.map((value) => producer.send({ topic: 't', value }))
    for (let turn = 0; turn < 50; turn++) await Promise.resolve()
    expect(producer.isFull).toBe(true)
    gate.resolve()
    await Promise.all(sends)
    expect(producer.isFull).toBe(false)
    expect(await readAll()).toEqual(values)
    await producer.close()
  })
})

describe('retries', () => {
  it('lose nothing, double nothing and keep the order, whatever replies are lost, late or refused', async () => {
    const fault = fc.constantFrom('none', 'before', 'after', 'late')
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 30 }), async (faults) => {
        const topic = `t${run++}`
        await createTopic(topic, 1)
        const bad = faulty(async (request, call) => {
          const kind = faults[call] ?? 'none'
          if (kind === 'before') throw UNAVAILABLE
          const result = await log.append(request)
          if (kind === 'after') throw UNAVAILABLE
          if (kind === 'late') await sleep(nodeClock, 2)
          return result
        })
        const producer = new Producer(bad, { batchBytes: 120, retryBackoffMs: 1 })
        const sends: Promise<{ offset: number }>[] = []
        for (const value of numbers(60)) {
          sends.push(producer.send({ topic, value }))
          if (Number(value) % 7 === 0) await Promise.resolve()
        }
        const offsets = (await Promise.all(sends)).map(({ offset }) => offset)
        await producer.close()
        expect(await readAll(topic)).toEqual(numbers(60))
        expect(offsets).toEqual(numbers(60).map(Number))
      }),
      { numRuns: 40 },
    )
  })

  it('go on around a batch that the log refuses', async () => {
    const refused = new RejectedError('RECORD_TOO_LARGE', 'too large after all')
    const bad = faulty(async (request, call) => {
      await sleep(nodeClock, 1)
      if (call === 2) throw refused
      return log.append(request)
    })
    const producer = new Producer(bad, { batchBytes: 120 })
    const outcomes = await Promise.allSettled(
      numbers(60).map((value) => producer.send({ topic: 't', value })),
    )
    const lost = outcomes.flatMap(({ status }, index) =>
      status === 'rejected' ? [`${index}`] : [],
    )
    expect(lost.length).toBeGreaterThan(0)
    expect(await readAll()).toEqual(numbers(60).filter((value) => !lost.includes(value)))
    await producer.send({ topic: 't', value: 'later' })
    await producer.close()
  })

  it('end after the delivery timeout, and the producer works again when the log does', async () => {
    let isDown = true
    const bad = faulty((request) => (isDown ? Promise.reject(UNAVAILABLE) : log.append(request)))
    const producer = new Producer(bad, { deliveryTimeoutMs: 30, retryBackoffMs: 5 })
    await expect(producer.send({ topic: 't', value: 'a' })).rejects.toThrow(UnavailableError)
    isDown = false
    await producer.send({ topic: 't', value: 'b' })
    expect(await readAll()).toEqual(['b'])
    await producer.close()
  })
})

describe('a transaction', () => {
  it('shows all of its records at its commit, and none when it is aborted', async () => {
    const producer = new Producer(log, { transactionalId: 'x' })
    await producer.beginTransaction()
    await producer.send({ topic: 't', value: 'a' })
    void producer.send({ topic: 't', value: 'b' })
    expect(await readAll()).toEqual([])
    await producer.commitTransaction()
    expect(await readAll()).toEqual(['a', 'b'])
    await producer.beginTransaction()
    await producer.send({ topic: 't', value: 'c' })
    await producer.abortTransaction()
    await producer.beginTransaction()
    void producer.send({ topic: 't', value: 'd' })
    await producer.commitTransaction()
    expect(await readAll()).toEqual(['a', 'b', 'd'])
    await producer.close()
  })

  it('stores positions with its records', async () => {
    const { topicId } = await log.alterTopic('t', { durability: 'os' })
    const producer = new Producer(log, { transactionalId: 'x' })
    await producer.beginTransaction()
    await producer.send({ topic: 't', value: 'a' })
    const position = { offset: 0, leaderEpoch: -1 }
    const positions = [{ topic: 't', partition: 0, topicId, position }]
    await producer.commitTransaction([{ group: 'g', positions }])
    expect(await log.readPositions('g')).toMatchObject(positions)
    await producer.close()
  })

  it('may be empty', async () => {
    const producer = new Producer(log, { transactionalId: 'x' })
    await producer.beginTransaction()
    await producer.commitTransaction()
    await producer.beginTransaction()
    await producer.abortTransaction()
    await producer.close()
  })

  it('that lost a batch cannot be committed; after its abort the next one can', async () => {
    const bad = faulty((request, call) =>
      call === 1 ? Promise.reject(new RejectedError('DISK_FULL', 'no room')) : log.append(request),
    )
    const producer = new Producer(bad, { transactionalId: 'x' })
    await producer.beginTransaction()
    await producer.send({ topic: 't', value: 'a' })
    await expect(producer.send({ topic: 't', value: 'b' })).rejects.toThrow(RejectedError)
    await expect(producer.commitTransaction()).rejects.toThrow(RejectedError)
    await producer.abortTransaction()
    await producer.beginTransaction()
    await producer.send({ topic: 't', value: 'c' })
    await producer.commitTransaction()
    expect(await readAll()).toEqual(['c'])
    await producer.close()
  })

  it('is fenced by a newer producer of the same name', async () => {
    const older = new Producer(log, { transactionalId: 'x' })
    await older.beginTransaction()
    await older.send({ topic: 't', value: 'zombie' })
    const newer = new Producer(log, { transactionalId: 'x' })
    await newer.beginTransaction()
    await newer.send({ topic: 't', value: 'new' })
    await newer.commitTransaction()
    await expect(older.commitTransaction()).rejects.toThrow(FencedError)
    await expect(older.send({ topic: 't', value: 'zombie' })).rejects.toThrow(FencedError)
    expect(await readAll()).toEqual(['new'])
    await newer.close()
  })

  it('is aborted by close, and cannot be left out or nested', async () => {
    const producer = new Producer(log, { transactionalId: 'x' })
    await expect(producer.send({ topic: 't', value: 'a' })).rejects.toThrow(UsageError)
    await expect(producer.commitTransaction()).rejects.toThrow(UsageError)
    await producer.beginTransaction()
    await expect(producer.beginTransaction()).rejects.toThrow(UsageError)
    await producer.send({ topic: 't', value: 'b' })
    await producer.close()
    expect(await readAll('t', 0, 'read_uncommitted')).toEqual(['b'])
    expect(await readAll()).toEqual([])
    const plain = new Producer(log)
    await expect(plain.beginTransaction()).rejects.toThrow(UsageError)
    await plain.close()
  })
})
