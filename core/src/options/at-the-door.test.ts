import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Consumer } from '../consumer/index.ts'
import { UsageError } from '../errors.ts'
import type { Log } from '../log.ts'
import { open } from '../open.ts'
import { Producer } from '../producer/index.ts'
import { defineSerde } from '../serdes/index.ts'
import { simulatedPorts } from '../testing/index.ts'

// What Node would run: the compiler refuses most of it.
type Bad = Record<string, unknown>

let log: Log
beforeAll(async () => {
  log = await open('/data', { ports: simulatedPorts() })
  await log.createTopic({ name: 't', partitions: 2 })
})
afterAll(() => log.close())

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return (error as UsageError).message
  }
  return 'it was taken'
}

describe('a producer is not made', () => {
  test.each<[Bad, string]>([
    [{ bufferBytes: 0 }, 'bufferBytes must be a whole number of bytes, at least 1, not 0.'],
    [{ batchBytes: NaN }, 'batchBytes must be a whole number of bytes, at least 1, not NaN.'],
    [{ batchBytes: '1MB' }, 'batchBytes must be a whole number of bytes, at least 1, not "1MB".'],
    [
      { compression: 'brotli' },
      'compression must be one of none, gzip, snappy, lz4, zstd, not "brotli".',
    ],
    [
      { compression: 'ztsd' },
      'compression must be one of none, gzip, snappy, lz4, zstd, not "ztsd". Did you mean "zstd"?',
    ],
    [{ lingerMs: -1 }, 'lingerMs must be a number of milliseconds, from 0 to 2147483647, not -1.'],
    [
      { lingerMs: NaN },
      'lingerMs must be a number of milliseconds, from 0 to 2147483647, not NaN.',
    ],
    [{ maxInFlight: 0 }, 'maxInFlight must be a whole number from 1 to 5, not 0.'],
    [{ maxInFlight: 6 }, 'maxInFlight must be a whole number from 1 to 5, not 6.'],
    [
      { deliveryTimeoutMs: '2m' },
      'deliveryTimeoutMs must be a number of milliseconds, at least 0, or Infinity, not "2m".',
    ],
    [
      { retryBackoffMs: null },
      'retryBackoffMs must be a number of milliseconds, from 0 to 2147483647, not null.',
    ],
    [{ transactionalId: '' }, 'transactionalId must be text that is not empty, not "".'],
    [{ partitionBy: 'key' }, 'partitionBy must be a function, not "key".'],
    [{ value: JSON }, 'value must be a serde, such as json(), not an object.'],
  ])('with %o', (options, message) => {
    expect(refusal(() => new Producer(log, options))).toBe(`new Producer: ${message}`)
  })

  test('with an option that there is not, and the one that was probably meant is named', () => {
    const typo = { lingerMS: 5 } as object
    expect(refusal(() => new Producer(log, typo))).toBe(
      'new Producer has no option "lingerMS". Did you mean "lingerMs"?',
    )
    expect(refusal(() => new Producer(log, { acks: 'all' } as object))).toMatch(
      /^new Producer has no option "acks"\. It has key, value, partitionBy, /,
    )
  })

  test('with options that are no object, or on what is no log', () => {
    expect(refusal(() => new Producer(log, null as never))).toBe(
      'new Producer takes its options as an object, not null.',
    )
    const notAwaited = Promise.resolve(log) as unknown as Log
    expect(refusal(() => new Producer(notAwaited))).toBe(
      'new Producer: its log must be a log, such as await open(), not an object.',
    )
  })
})

describe('a record is refused alone', () => {
  test.each([{ a: 1 }, 'from=here', 7])('when its headers are %o', async (headers) => {
    const producer = new Producer(log)
    const record = { topic: 't', value: 'x', headers: headers as never }
    await expect(producer.send(record)).rejects.toMatchObject({
      code: 'RECORD_INVALID',
      message: expect.stringContaining("A record's headers are a list, such as") as string,
    })
    await producer.send({ topic: 't', value: 'y' })
    await producer.close()
  })
})

describe('a consumer is not made', () => {
  test.each<[Bad, string]>([
    [
      { topics: [] },
      'topics must be a list of at least 1, each text that is not empty, not an empty list.',
    ],
    [{ topics: 't' }, 'topics must be a list of at least 1, each text that is not empty, not "t".'],
    [{ topics: ['t', 5] }, 'topics[1] must be text that is not empty, not 5.'],
    [{ batchBytes: 0 }, 'batchBytes must be a whole number of bytes, at least 1, not 0.'],
    [{ prefetchBytes: -1 }, 'prefetchBytes must be a whole number of bytes, at least 1, not -1.'],
    [{ start: 'begin' }, 'start must be one of earliest, latest, error, not "begin".'],
    [
      { start: 'lastest' },
      'start must be one of earliest, latest, error, not "lastest". Did you mean "latest"?',
    ],
    [{ isolation: 'x' }, 'isolation must be one of read_committed, read_uncommitted, not "x".'],
    [{ group: '' }, 'group must be text that is not empty, not "".'],
    [
      { sessionTimeoutMs: 1 },
      'sessionTimeoutMs must be a number of milliseconds, from 10 to 2147483647, not 1.',
    ],
    [
      { heartbeatMs: 20_000 },
      'heartbeatMs must be less than its sessionTimeoutMs of 10000, not 20000.',
    ],
    [
      { assignment: [{ topic: 't' }], topics: undefined },
      'assignment[0].partition is missing: it must be a whole number of at least 0.',
    ],
  ])('with %o', (options, message) => {
    expect(refusal(() => new Consumer(log, { topics: ['t'], ...options }))).toBe(
      `new Consumer: ${message}`,
    )
  })

  test('without topics or partitions, with both, or without any options', () => {
    const neither = /A consumer reads either `topics` or an `assignment`/
    expect(refusal(() => new Consumer(log, {}))).toMatch(neither)
    const both = { topics: ['t'], assignment: [{ topic: 't', partition: 0 }] }
    expect(refusal(() => new Consumer(log, both))).toMatch(neither)
    expect(refusal(() => new Consumer(log, undefined as never))).toMatch(neither)
  })
})

test('a consumer reads what is more than a partition, such as stored positions, and seeks to what has a time', async () => {
  const producer = new Producer(log)
  await producer.send({ topic: 't', partition: 1, value: 'x', timestampMs: 5 })
  const position = { offset: 0, leaderEpoch: -1 }
  const { topicId } = await log.describeTopic('t')
  await log.commitPositions({
    group: 'g',
    positions: [{ topic: 't', topicId, partition: 1, position }],
  })
  const stored = await log.readPositions('g')
  const consumer = new Consumer(log, { assignment: stored })
  for (const place of stored) await consumer.seek(place, { timestampMs: 4.5, value: 'x' } as never)
  for await (const batch of consumer) {
    expect([...batch.records()]).toMatchObject([{ partition: 1, timestampMs: 5 }])
    break
  }
  await consumer.close()
  await producer.close()
})

describe('a consumer does not seek', () => {
  test.each([NaN, -1, 1.5, 'begin', { timestamp: 5 }, undefined])('to %o', async (to) => {
    const consumer = new Consumer(log, { topics: ['t'] })
    const seeking = consumer.seek({ topic: 't', partition: 0 }, to as never)
    await expect(seeking).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(
        /^seek: to (must be|is missing: it must be) a whole number/,
      ) as string,
    })
    await consumer.close()
  })

  test.each(['begin', { timestamp: 5 }])('and no offset is found at %o', async (at) => {
    const found = log.findOffset({ topic: 't', partition: 0, at: at as never })
    await expect(found).rejects.toThrow(/^findOffset: at must be one of earliest, latest, or an/)
  })
})

describe('a serde is not made', () => {
  test.each<[Bad, string]>([
    [{ decode: undefined }, 'defineSerde: decode is missing: it must be a function.'],
    [{ name: '' }, 'defineSerde: name must be text that is not empty, not "".'],
  ])('with %o', (wrong, message) => {
    const serde = { name: 's', encode: String, decode: String, ...wrong }
    expect(refusal(() => defineSerde(serde))).toBe(message)
  })
})

describe('a group is not joined', () => {
  test.each<[Bad]>([[{ group: '' }], [{ sessionTimeoutMs: NaN }]])('with %o', async (wrong) => {
    const request = { group: 'g', memberId: '', sessionTimeoutMs: 1000, rebalanceTimeoutMs: 1000 }
    const joining = log.joinGroup({ ...request, protocolType: 'c', protocols: [], ...wrong })
    await expect(joining).rejects.toBeInstanceOf(UsageError)
  })
})

describe('a log is not opened', () => {
  test.each<[unknown, Bad, string]>([
    [5, {}, 'open: its URL must be text that is not empty, not 5.'],
    ['', {}, 'open: its URL must be text that is not empty, not "".'],
    [
      '/x',
      { access: 'readonly' },
      'open: access must be one of read-write, read-only, not "readonly". Did you mean "read-only"?',
    ],
    ['/x', { thread: 1 }, 'open: thread must be true or false, not 1.'],
    ['/x', { readOnly: true }, 'open has no option "readOnly". It has access, thread, ports.'],
  ])('at %o with %o', async (url, options, message) => {
    await expect(open(url as string, options)).rejects.toMatchObject({ code: 'USAGE', message })
  })
})

describe('a topic is not made', () => {
  test.each<[Bad, string]>([
    [{ partitions: 0 }, 'createTopic: partitions must be a whole number from 1 to 10000, not 0.'],
    [
      { partitions: '3' },
      'createTopic: partitions must be a whole number from 1 to 10000, not "3".',
    ],
    [
      { config: { retentionMs: '7d' } },
      'createTopic: config.retentionMs must be a whole number of at least -1, not "7d".',
    ],
    [
      { config: { retentionMS: 5 } },
      'createTopic: config has no option "retentionMS". Did you mean "retentionMs"?',
    ],
    [
      { config: { cleanup: 'compacted' } },
      'createTopic: config.cleanup must be one of delete, compact, compact,delete, not "compacted". Did you mean "compact"?',
    ],
    [{ name: undefined }, 'createTopic: name is missing: it must be text.'],
    [
      { replicas: 3 },
      'createTopic has no option "replicas". It has name, partitions, config, internal.',
    ],
  ])('with %o', async (options, message) => {
    const made = log.createTopic({ name: 'new', ...options })
    await expect(made).rejects.toMatchObject({ code: 'USAGE', message })
  })

  test('or changed, where a setting has another value than it may; undefined leaves it as it is', async () => {
    const before = await log.describeTopic('t')
    await expect(log.alterTopic('t', { segmentMs: 0 })).rejects.toThrow(
      "A topic's config: segmentMs must be a whole number of at least 1, not 0.",
    )
    const after = await log.alterTopic('t', { segmentMs: undefined } as object)
    expect(after.config).toEqual(before.config)
  })
})
