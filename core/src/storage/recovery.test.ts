import { describe, expect, test } from 'vitest'
import { stampBatch } from '../batch/header.ts'
import type { Log, LogDescription, TopicConfig } from '../log.ts'
import { open } from '../open.ts'
import {
  append,
  batchOf,
  fetchFrom,
  readValues,
  simulatedPorts,
  type SimulatedPorts,
} from '../testing/index.ts'

const MIB = 1024 * 1024
const LOG = '/data/t-0/00000000000000000000.log'

/** A log that was closed, with these values in one partition, a batch each. */
async function closedLog(
  values: readonly string[],
  config: Partial<TopicConfig> = {},
): Promise<SimulatedPorts> {
  const ports = simulatedPorts()
  const log = await open('/data', { ports })
  await log.createTopic({ name: 't', config: { maxMessageBytes: 2 * MIB, ...config } })
  for (const value of values) await append(log, 't', 0, [value])
  await log.close()
  return ports.machine.boot()
}

/** What a crash may have left behind the watermark. */
async function addToFile(ports: SimulatedPorts, path: string, bytes: Uint8Array): Promise<void> {
  const file = await ports.fileSystem.open(path, 'write')
  const size = await file.size()
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at), size + at)
  await file.close()
}

function rot(ports: SimulatedPorts, path: string, position: number): void {
  ports.machine.disk.files().get(path.slice(1))?.rot(position, 0x10)
}

async function reopened(ports: SimulatedPorts): Promise<{ log: Log; description: LogDescription }> {
  const log = await open('/data', { ports: ports.machine.boot() })
  return { log, description: await log.describe() }
}

describe('a torn tail', () => {
  test('is copied aside and cut off, and the log goes on', async () => {
    const ports = await closedLog(['a', 'b'])
    const torn = batchOf(['never acknowledged']).subarray(0, 70)
    await addToFile(ports, LOG, torn)
    const { log, description } = await reopened(ports)
    expect(description.damaged).toEqual([])
    expect(await readValues(log, 't', 0)).toEqual(['a', 'b'])
    const copy = ports.machine.disk.files().get(`${LOG.slice(1)}.torn-1`)
    expect(copy?.sizeBytes).toBe(70)
    expect(await append(log, 't', 0, ['c'])).toBe(2)
  })

  test('keeps the copies of earlier ones', async () => {
    const ports = await closedLog(['a'])
    for (let crash = 1; crash <= 2; crash++) {
      const now = ports.machine.boot()
      await addToFile(now, LOG, Buffer.alloc(30 * crash, 7))
      await (await reopened(now)).log.close()
    }
    const { disk } = ports.machine
    const copies = [1, 2].map((n) => disk.files().get(`${LOG.slice(1)}.torn-${n}`)?.sizeBytes)
    expect(copies).toEqual([30, 60])
  })

  test('may hold good batches, as long as none is further off than one group can reach', async () => {
    const ports = await closedLog(['a'])
    const later = batchOf(['later'])
    stampBatch(later, 0, 2, 0)
    await addToFile(ports, LOG, Buffer.concat([Buffer.alloc(1000), later]))
    const { log, description } = await reopened(ports)
    expect(description.damaged).toEqual([])
    expect(await readValues(log, 't', 0)).toEqual(['a'])
  })
})

describe('corruption', () => {
  test('below the watermark ends the partition there: read-only, reported, nothing deleted', async () => {
    const ports = await closedLog(['a', 'b', 'c'])
    const sizeBytes = ports.machine.disk.files().get(LOG.slice(1))?.sizeBytes
    const position = batchOf(['a']).length
    rot(ports, LOG, position + 16)
    const { log, description } = await reopened(ports)
    expect(description.damaged).toEqual([
      expect.objectContaining({ topic: 't', partition: 0, file: LOG, position }),
    ])
    expect(await readValues(log, 't', 0)).toEqual(['a'])
    expect((await fetchFrom(log, 't', 0, 1)).error?.code).toBe('CORRUPT_DATA')
    await expect(append(log, 't', 0, ['d'])).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
    await log.close()
    expect(ports.machine.disk.files().get(LOG.slice(1))?.sizeBytes).toBe(sizeBytes)
    rot(ports, LOG, position + 16)
    expect(await readValues((await reopened(ports)).log, 't', 0)).toEqual(['a', 'b', 'c'])
  })

  test('in a value is found by its first reader, who gets what lies before', async () => {
    const ports = await closedLog(['a', 'b', 'c'])
    const batchBytes = batchOf(['a']).length
    rot(ports, LOG, 2 * batchBytes - 2)
    const { log } = await reopened(ports)
    const first = await fetchFrom(log, 't', 0, 0)
    expect(first.nextOffset).toBe(1)
    const second = await fetchFrom(log, 't', 0, 1)
    expect(second.error).toMatchObject({
      code: 'CORRUPT_DATA',
      facts: { file: LOG, position: batchBytes },
    })
  })

  test('in a sealed segment leaves the segments behind it in their files', async () => {
    const ports = await closedLog(['a'.repeat(800), 'b'.repeat(800), 'c'.repeat(800)], {
      segmentBytes: 1024,
    })
    const path = '/data/t-0/00000000000000000001.log'
    rot(ports, path, 0)
    const { log, description } = await reopened(ports)
    expect(description.damaged[0]).toMatchObject({ file: path, position: 0 })
    expect((await readValues(log, 't', 0)).length).toBe(1)
    expect(ports.machine.disk.files().has('data/t-0/00000000000000000002.log')).toBe(true)
  })

  test('is told from a torn tail by a good batch further off than one group can reach', async () => {
    const ports = await closedLog(['a'])
    const later = batchOf(['later'])
    stampBatch(later, 0, 2, 0)
    await addToFile(ports, LOG, Buffer.concat([Buffer.alloc(MIB), later]))
    const { log, description } = await reopened(ports)
    expect(description.damaged[0]).toMatchObject({ file: LOG, position: batchOf(['a']).length })
    expect(await readValues(log, 't', 0)).toEqual(['a'])
  })

  test('is not seen in a value that holds a batch of another log', async () => {
    const ports = await closedLog(['a'])
    const foreign = batchOf(['foreign'])
    stampBatch(foreign, 0, 2, 5)
    await addToFile(ports, LOG, Buffer.concat([Buffer.alloc(MIB), foreign]))
    const { description } = await reopened(ports)
    expect(description.damaged).toEqual([])
  })

  test('is what a missing segment is', async () => {
    const ports = await closedLog(['a'.repeat(800), 'b'.repeat(800), 'c'.repeat(800)], {
      segmentBytes: 1024,
    })
    await ports.fileSystem.remove('/data/t-0/00000000000000000001.log')
    const { log, description } = await reopened(ports)
    expect(description.damaged[0]?.reason).toMatch(/offsets 1 to 1 are missing/)
    expect((await readValues(log, 't', 0)).length).toBe(1)
  })

  test('is what a file is that ends before it was synced to', async () => {
    const ports = await closedLog(['a', 'b'])
    const file = await ports.fileSystem.open(LOG, 'write')
    await file.truncate(batchOf(['a']).length)
    await file.close()
    const { description } = await reopened(ports)
    expect(description.damaged[0]?.reason).toMatch(/was synced up to byte/)
  })
})

describe('damaged metadata', () => {
  test.each([
    'meta.json',
    'topics.checkpoint',
    't-0/partition.metadata',
    't-0/leader-epoch-checkpoint',
    't-0/partition.checkpoint',
  ])('in %s is refused by name, and no file is changed or removed', async (name) => {
    const ports = await closedLog(['a'])
    const path = `/data/${name}`
    rot(ports, path, 2)
    const before = sizes(ports)
    await expect(reopened(ports)).rejects.toMatchObject({
      code: 'CORRUPT_DATA',
      message: expect.stringContaining(path) as string,
    })
    expect([...before].filter(([file, size]) => sizes(ports).get(file) !== size)).toEqual([])
    rot(ports, path, 2)
    expect(await readValues((await reopened(ports)).log, 't', 0)).toEqual(['a'])
  })

  test('of which the registry is missing is not taken for a new log', async () => {
    const ports = await closedLog(['a'])
    await ports.fileSystem.remove('/data/topics.checkpoint')
    await expect(reopened(ports)).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
    await expect(reopened(ports)).rejects.toThrow(/nothing was changed/i)
  })
})

/** Sizes of all files that are not rewritten at each opening. */
function sizes(ports: SimulatedPorts): Map<string, number> {
  const files = [...ports.machine.disk.files()].filter(([path]) => !/lock|topics/.test(path))
  return new Map(files.map(([path, { sizeBytes }]) => [path, sizeBytes]))
}

describe('opening', () => {
  test('twice in a row changes nothing that readers see', async () => {
    const ports = await closedLog(['a', 'b'])
    await addToFile(ports, LOG, Buffer.alloc(100))
    const once = await readValues((await reopened(ports)).log, 't', 0)
    const twice = await readValues((await reopened(ports)).log, 't', 0)
    expect(twice).toEqual(once)
  })

  test('raises the leader epoch, by which positions in a lost tail are refused', async () => {
    const ports = simulatedPorts()
    const log = await open('/data', { ports })
    await log.createTopic({ name: 't', config: { durability: 'os' } })
    await append(log, 't', 0, ['kept'])
    await append(log, 't', 0, ['lost'])
    const { leaderEpoch } = await log.findOffset({ topic: 't', partition: 0, at: 'latest' })
    const now = ports.machine.boot()
    const file = await now.fileSystem.open(LOG, 'write')
    await file.truncate(batchOf(['kept']).length)
    const again = (await reopened(now)).log
    await append(again, 't', 0, ['another', 'and another'])
    const fetched = await fetchFrom(again, 't', 0, 2, { leaderEpoch })
    expect(fetched.error?.code).toBe('POSITION_DIVERGED')
    const { partitions } = await again.describeTopic('t')
    expect(partitions[0]?.highWatermark).toBe(3)
    expect((await fetchFrom(again, 't', 0, 1, { leaderEpoch })).error).toBeUndefined()
  })
})

describe('producers that are long gone', () => {
  const HOUR_MS = 3_600_000

  /** What a retry is answered after these hours and an opening, some segments further on. */
  async function retriedAfter(hours: number): Promise<boolean> {
    const ports = simulatedPorts()
    const log = await open('/data', { ports })
    await log.createTopic({ name: 't', config: { segmentMs: HOUR_MS } })
    const producer = await log.initProducer({})
    const batch = batchOf(['once'], { ...producer, baseSequence: 0 })
    await log.append({ topic: 't', partition: 0, batch: batch.slice() })
    for (let passed = 0; passed < hours; passed++) {
      ports.clock.advance(HOUR_MS)
      await append(log, 't', 0, ['by somebody else'])
    }
    await log.close()
    const again = await open('/data', { ports: ports.machine.boot() })
    const { duplicate } = await again.append({ topic: 't', partition: 0, batch })
    return duplicate
  }

  test('are remembered over openings for a day', async () => {
    expect(await retriedAfter(23)).toBe(true)
  })

  test('cost an opening nothing after it', async () => {
    expect(await retriedAfter(30)).toBe(false)
  })
})
