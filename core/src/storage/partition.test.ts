import { describe, expect, test } from 'vitest'
import { open } from '../open.ts'
import { append, batchOf, readValues, SimulatedMachine, simulatedPorts } from '../testing/index.ts'
import type { SimulatedPorts } from '../testing/index.ts'
import type { Log, TopicConfig } from '../log.ts'

async function logWithTopic(
  config: Partial<TopicConfig> = {},
  ports: SimulatedPorts = simulatedPorts(),
): Promise<{ log: Log; ports: SimulatedPorts }> {
  const log = await open('/data', { ports })
  await log.createTopic({ name: 't', config })
  return { log, ports }
}

/** Counts the operations of a kind on files whose path ends so. */
function countOperations(ports: SimulatedPorts, kind: string, ending: string): () => number {
  let count = 0
  ports.fileSystem.onOperation = (operation) => {
    if (operation.kind === kind && operation.path.endsWith(ending)) count++
  }
  return () => count
}

describe('group commit', () => {
  test('many appends share one write and one sync', async () => {
    const { log, ports } = await logWithTopic()
    await append(log, 't', 0, ['first'])
    const syncs = countOperations(ports, 'sync', '.log')
    await Promise.all(Array.from({ length: 100 }, (_, n) => append(log, 't', 0, [`v${n}`])))
    expect(syncs()).toBe(1)
    expect((await readValues(log, 't', 0)).length).toBe(101)
  })

  test('appends are acknowledged in the order of the calls, without gaps', async () => {
    const { log } = await logWithTopic()
    const offsets = await Promise.all(
      ['a', 'b', 'c'].map((value) => append(log, 't', 0, [value, value])),
    )
    expect(offsets).toEqual([0, 2, 4])
    expect(await readValues(log, 't', 0)).toEqual(['a', 'a', 'b', 'b', 'c', 'c'])
  })

  test('nothing is visible before it is synced', async () => {
    const { log, ports } = await logWithTopic()
    let visibleAtSync = -1
    ports.fileSystem.onOperation = ({ kind, path }) => {
      if (kind === 'write' && path.endsWith('.log') && path.includes('/t-0/')) {
        void log.describeTopic('t').then(({ partitions }) => {
          visibleAtSync = partitions[0]?.highWatermark ?? -1
        })
      }
    }
    await append(log, 't', 0, ['a'])
    expect(visibleAtSync).toBe(0)
    expect((await log.describeTopic('t')).partitions[0]?.highWatermark).toBe(1)
  })

  test('a level below fsync is acknowledged and visible without a sync', async () => {
    for (const durability of ['memory', 'os'] as const) {
      const { log, ports } = await logWithTopic({ durability })
      await append(log, 't', 0, ['a'])
      const syncs = countOperations(ports, 'sync', '.log')
      await append(log, 't', 0, ['b'])
      expect(await readValues(log, 't', 0)).toEqual(['a', 'b'])
      expect(syncs()).toBe(0)
    }
  })

  test('no more than a mebibyte of an open transaction lies unsynced', async () => {
    const { log, ports } = await logWithTopic({ maxMessageBytes: 10_000_000 })
    const producer = await log.initProducer({ transactionalId: 'x' })
    let unsynced = 0
    let unsyncedMax = 0
    let sizeBefore = 0
    ports.fileSystem.onOperation = ({ kind, path }) => {
      if (!path.endsWith('t-0/00000000000000000000.log')) return
      const size =
        ports.machine.disk.files().get('data/t-0/00000000000000000000.log')?.sizeBytes ?? 0
      if (kind === 'sync') unsynced = 0
      if (kind === 'write') unsynced += size - sizeBefore
      sizeBefore = size
      unsyncedMax = Math.max(unsyncedMax, unsynced)
    }
    const value = 'x'.repeat(200_000)
    for (let n = 0; n < 20; n++) {
      await append(log, 't', 0, [value], { ...producer, baseSequence: n, isTransactional: true })
    }
    expect(unsyncedMax).toBeGreaterThan(800_000)
    expect(unsyncedMax).toBeLessThanOrEqual(1024 * 1024)
  })
})

describe('segments', () => {
  test('a segment is rolled before it would grow past its size, under Kafka’s file names', async () => {
    const { log, ports } = await logWithTopic({ segmentBytes: 1024 })
    for (let n = 0; n < 10; n++) await append(log, 't', 0, [`${n}`.repeat(300)])
    const names = await ports.fileSystem.list('/data/t-0')
    expect(names.filter((name) => name.endsWith('.log'))).toEqual([
      '00000000000000000000.log',
      '00000000000000000002.log',
      '00000000000000000004.log',
      '00000000000000000006.log',
      '00000000000000000008.log',
    ])
    expect((await readValues(log, 't', 0)).map((value) => value[0])).toEqual(
      Array.from('0123456789'),
    )
  })

  test('a segment is rolled when its first record is older than segmentMs', async () => {
    const { log, ports } = await logWithTopic({ segmentMs: 1000 })
    await append(log, 't', 0, ['a'])
    ports.clock.advance(1000)
    await append(log, 't', 0, ['b'])
    const names = await ports.fileSystem.list('/data/t-0')
    expect(names).toContain('00000000000000000001.log')
  })

  test('index files hold Kafka’s entries: last offset and position, largest time and its offset', async () => {
    const { log, ports } = await logWithTopic({ segmentBytes: 10_000 })
    for (let n = 0; n < 8; n++) {
      const batch = batchOf(['x'.repeat(2000), 'y'], { timestampMs: 1000 + n })
      await log.append({ topic: 't', partition: 0, batch })
    }
    const index = ports.machine.disk.files().get('data/t-0/00000000000000000000.index')
    const file = await ports.fileSystem.open('/data/t-0/00000000000000000000.index', 'read')
    const bytes = Buffer.alloc(index?.sizeBytes ?? 0)
    await file.read(bytes, 0)
    const batchBytes = batchOf(['x'.repeat(2000), 'y']).length
    expect(bytes.length).toBe(16)
    expect([0, 4, 8, 12].map((at) => bytes.readInt32BE(at))).toEqual([1, 0, 5, 2 * batchBytes])
  })
})

describe('a full disk', () => {
  test('refuses appends without a trace, and takes them again by itself once there is room', async () => {
    const { log, ports } = await logWithTopic()
    await append(log, 't', 0, ['kept'])
    const { disk } = ports.machine
    disk.capacityBytes = disk.usedBytes + 50
    await expect(append(log, 't', 0, ['refused'.repeat(100)])).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining('/data') as string,
    })
    expect(await readValues(log, 't', 0)).toEqual(['kept'])
    disk.capacityBytes = Infinity
    await append(log, 't', 0, ['taken'])
    expect(await readValues(log, 't', 0)).toEqual(['kept', 'taken'])
    await log.close()
    const again = await open('/data', { ports: ports.machine.boot() })
    expect(await readValues(again, 't', 0)).toEqual(['kept', 'taken'])
  })

  test('does not stop retention from making room', async () => {
    const { log, ports } = await logWithTopic({ segmentBytes: 1024, retentionBytes: 2000 })
    for (let n = 0; n < 10; n++) await append(log, 't', 0, ['x'.repeat(600)])
    const { disk } = ports.machine
    disk.capacityBytes = disk.usedBytes
    ports.clock.advance(60_000)
    await ports.machine.until(
      (async () => {
        while ((await log.describeTopic('t')).partitions[0]?.startOffset === 0)
          await Promise.resolve()
      })(),
    )
    await append(log, 't', 0, ['taken'])
  })
})

describe('a failed sync', () => {
  test('fails all writes of the data directory for good, while reads go on', async () => {
    const { log, ports } = await logWithTopic()
    await log.createTopic({ name: 'other' })
    await append(log, 't', 0, ['synced'])
    ports.fileSystem.faults = ({ kind, path }) =>
      kind === 'sync' && path.includes('/t-0/') ? 'EIO' : undefined
    await expect(append(log, 't', 0, ['lost?'])).rejects.toMatchObject({ code: 'LOG_FAILED' })
    ports.fileSystem.faults = () => undefined
    await expect(append(log, 'other', 0, ['a'])).rejects.toMatchObject({ code: 'LOG_FAILED' })
    await expect(append(log, 't', 0, ['b'])).rejects.toMatchObject({ code: 'LOG_FAILED' })
    expect(await readValues(log, 't', 0)).toEqual(['synced'])
    await expect(log.close()).rejects.toMatchObject({ code: 'LOG_FAILED' })
    const again = await open('/data', { ports: ports.machine.boot() })
    expect((await readValues(again, 't', 0)).slice(0, 1)).toEqual(['synced'])
    await append(again, 't', 0, ['b'])
  })
})

describe('retention', () => {
  test('records of long ago stay until they have been in the log for as long as records may', async () => {
    const hourMs = 3_600_000
    const { log, ports } = await logWithTopic({ retentionMs: hourMs })
    const batch = batchOf(['of 2001'], { timestampMs: 1_000_000_000_000 })
    await log.append({ topic: 't', partition: 0, batch })
    const start = async (): Promise<number> =>
      (await log.describeTopic('t')).partitions[0]?.startOffset ?? -1
    for (let minute = 0; minute < 59; minute++) {
      ports.clock.advance(60_000)
      for (let turn = 0; turn < 200; turn++) await Promise.resolve()
    }
    expect(await start()).toBe(0)
    ports.clock.advance(5 * 60_000)
    for (let turn = 0; turn < 2000; turn++) await Promise.resolve()
    expect(await start()).toBe(1)
    expect(await append(log, 't', 0, ['next'])).toBe(1)
  })

  test('makes room on a full disk also when all has expired at once, the newest segment too', async () => {
    const { log, ports } = await logWithTopic({ segmentBytes: 1024, retentionMs: 1000 })
    for (let n = 0; n < 6; n++) await append(log, 't', 0, [`${n}`.repeat(900)])
    const { disk } = ports.machine
    disk.capacityBytes = disk.usedBytes
    ports.clock.advance(31_000)
    for (let turn = 0; turn < 2000; turn++) await Promise.resolve()
    expect((await log.describeTopic('t')).partitions[0]?.startOffset).toBe(6)
    expect(await append(log, 't', 0, ['next'])).toBe(6)
  })

  test('what a full disk did not let go of goes with the next round', async () => {
    const { log, ports } = await logWithTopic({ segmentBytes: 1024, retentionBytes: 1000 })
    for (let n = 0; n < 6; n++) await append(log, 't', 0, [`${n}`.repeat(900)])
    const round = async (): Promise<number> => {
      ports.clock.advance(31_000)
      for (let turn = 0; turn < 2000; turn++) await Promise.resolve()
      const names = await ports.fileSystem.list('/data/t-0')
      return names.filter((name) => /\.log(\.deleted)?$/.test(name)).length
    }
    ports.fileSystem.faults = ({ kind }) => (kind === 'remove' ? 'ENOSPC' : undefined)
    expect(await round()).toBe(6)
    ports.fileSystem.faults = () => undefined
    expect(await round()).toBe(2)
  })

  test('the time of the last append survives a close, and after a crash is taken for now', async () => {
    const machine = new SimulatedMachine(3)
    const { log } = await logWithTopic({ retentionMs: 1000 }, machine.boot())
    await append(log, 't', 0, ['a'])
    await log.close()
    const closed = machine.boot()
    closed.clock.advance(2000)
    const second = await open('/data', { ports: closed })
    closed.clock.advance(31_000)
    for (let turn = 0; turn < 2000; turn++) await Promise.resolve()
    expect((await second.describeTopic('t')).partitions[0]?.startOffset).toBe(1)
    await append(second, 't', 0, ['b'])
    const crashed = machine.boot()
    const third = await open('/data', { ports: crashed })
    expect(await readValues(third, 't', 0)).toEqual(['b'])
    crashed.clock.advance(900)
    for (let turn = 0; turn < 2000; turn++) await Promise.resolve()
    expect(await readValues(third, 't', 0)).toEqual(['b'])
  })
})

describe('trim', () => {
  test('records below are gone at once and stay gone, their files too', async () => {
    const { log, ports } = await logWithTopic({ segmentBytes: 1024 })
    for (let n = 0; n < 10; n++) await append(log, 't', 0, [`${n}`.repeat(300)])
    expect(await log.trim({ topic: 't', partition: 0 }, 5)).toBe(5)
    expect((await readValues(log, 't', 0)).map((value) => value[0])).toEqual(Array.from('56789'))
    const again = await open('/data', { ports: ports.machine.boot() })
    expect((await readValues(again, 't', 0)).map((value) => value[0])).toEqual(Array.from('56789'))
    const names = await again.describeTopic('t')
    expect(names.partitions[0]?.startOffset).toBe(5)
  })

  test('never goes past what is visible, and the offsets go on', async () => {
    const { log } = await logWithTopic()
    await append(log, 't', 0, ['a', 'b'])
    expect(await log.trim({ topic: 't', partition: 0 }, 99)).toBe(2)
    expect(await append(log, 't', 0, ['c'])).toBe(2)
  })
})

test('what was refused for want of room does not come back when the power goes', async () => {
  for (let seed = 0; seed < 300; seed++) {
    const ports = simulatedPorts(seed)
    const { machine, fileSystem } = ports
    const log = await open('/data', { ports })
    await log.createTopic({ name: 't' })
    await append(log, 't', 0, ['kept'])
    // Room for the first of the two, which go into one write.
    machine.disk.capacityBytes = machine.disk.usedBytes + batchOf(['refused']).length + 10
    const both = [append(log, 't', 0, ['refused']), append(log, 't', 0, ['refused too'])]
    for (const { status } of await Promise.allSettled(both)) expect(status).toBe('rejected')
    machine.disk.capacityBytes = Number.POSITIVE_INFINITY
    const written = Promise.withResolvers<void>()
    fileSystem.onOperation = ({ path }) => {
      if (path.endsWith('t-0/00000000000000000000.log')) written.resolve()
    }
    // What comes in its place is lost, and the size of the file is not.
    void append(log, 't', 0, ['unknown'])
    await written.promise
    machine.losePower()
    const reopened = await machine.until(open('/data', { ports: machine.boot() }))
    expect(await machine.until(readValues(reopened, 't', 0))).not.toContain('refused')
  }
})
