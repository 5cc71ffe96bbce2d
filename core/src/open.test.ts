import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { open } from './open.ts'
import { encodeChecked } from './storage/checkpoint.ts'
import { append, readValues, simulatedPorts } from './testing/index.ts'

describe('on a real disk', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-open-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  test('a log is made where there is none, and found again with its records', async () => {
    const url = join(directory, 'not', 'yet')
    const log = await open(url)
    const { logId, openings: [opening] = [] } = await log.describe()
    await log.createTopic({ name: 'flights', partitions: 2 })
    await append(log, 'flights', 1, ['a', 'b'])
    await log.close()
    const again = await open(`file:${url}/`)
    const openings = [opening, expect.stringMatching(/^1\.[0-9a-f]{8}$/)]
    expect(await again.describe()).toEqual({
      logId,
      openings,
      url,
      access: 'read-write',
      damaged: [],
    })
    expect(await readValues(again, 'flights', 1)).toEqual(['a', 'b'])
    await again.close()
  })

  test('the files of a partition have Kafka’s names and Kafka’s metadata', async () => {
    const log = await open(directory)
    const { topicId } = await log.createTopic({ name: 'flights' })
    await append(log, 'flights', 0, ['a'])
    await log.close()
    expect(await readdir(join(directory, 'flights-0'))).toEqual(
      expect.arrayContaining([
        '00000000000000000000.index',
        '00000000000000000000.log',
        '00000000000000000000.timeindex',
        'leader-epoch-checkpoint',
        'partition.metadata',
      ]),
    )
    const metadata = await readFile(join(directory, 'flights-0', 'partition.metadata'), 'latin1')
    const id = Buffer.from(topicId.replaceAll('-', ''), 'hex').toString('base64url')
    expect(metadata).toBe(`version: 0\ntopic_id: ${id}\n`)
  })

  test('a second writer is refused and told who the owner is; a reader is not', async () => {
    const log = await open(directory)
    await expect(open(directory)).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_IN_USE',
      message: expect.stringMatching(
        `${process.pid}.*, which is this one. Close that log`,
      ) as string,
    })
    const reader = await open(directory, { access: 'read-only' })
    expect((await reader.describe()).access).toBe('read-only')
    await reader.close()
    await log.close()
    await (await open(directory)).close()
  })
})

describe('refused', () => {
  test('is a data directory that needs a newer reader, and nothing in it changes', async () => {
    const ports = simulatedPorts()
    await (await open('/data', { ports })).close()
    const newer = { format: 9, minReader: 9, features: ['x'], logId: 'y' }
    const bytes = encodeChecked(newer)
    const file = await ports.fileSystem.open('/data/meta.json', 'write')
    await file.truncate(0)
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at), at)
    await file.close()
    for (const access of ['read-write', 'read-only'] as const) {
      await expect(open('/data', { ports, access })).rejects.toMatchObject({
        code: 'FORMAT_TOO_NEW',
        message: expect.stringContaining('newer') as string,
      })
    }
  })

  test.each(['kafka://localhost:9092', 'http://x', ''])('is the URL "%s"', async (url) => {
    await expect(open(url, { ports: simulatedPorts() })).rejects.toMatchObject({ code: 'USAGE' })
  })

  test('is everything after close, which may be called again', async () => {
    const log = await open('/data', { ports: simulatedPorts() })
    await log.createTopic({ name: 't' })
    await Promise.all([log.close(), log.close()])
    const closed = { code: 'CLOSED' }
    await expect(append(log, 't', 0, ['a'])).rejects.toMatchObject(closed)
    await expect(log.listTopics()).rejects.toMatchObject(closed)
    await expect(log.initProducer({})).rejects.toMatchObject(closed)
  })
})

test('closing waits for appends on their way', async () => {
  const ports = simulatedPorts()
  const log = await open('/data', { ports })
  await log.createTopic({ name: 't' })
  const appended = append(log, 't', 0, ['a'])
  await log.close()
  expect(await appended).toBe(0)
  const again = await open('/data', { ports: ports.machine.boot() })
  expect(await readValues(again, 't', 0)).toEqual(['a'])
})
