import { describe, expect, test } from 'vitest'
import { open } from '../open.ts'
import { append, batchOf, simulatedPorts, type SimulatedPorts } from '../testing/index.ts'
import { verifyLog } from './verify.ts'

const FIRST = '/data/t-0/00000000000000000000.log'

/** A closed log with a sealed and an active segment. */
async function closedLog(): Promise<SimulatedPorts> {
  const ports = simulatedPorts()
  const log = await open('/data', { ports })
  await log.createTopic({ name: 't', config: { segmentBytes: 1024 } })
  for (const value of ['a', 'b', 'c', 'd']) await append(log, 't', 0, [value.repeat(400)])
  await log.close()
  return ports
}

const batchBytes = batchOf(['a'.repeat(400)]).length

describe('verifying', () => {
  test('counts what it read and finds nothing in a whole log, open or closed', async () => {
    const ports = await closedLog()
    const found = { partitions: 2, segments: 3, batches: 4, bytes: 4 * batchBytes, faults: [] }
    expect(await verifyLog('/data', { ports })).toEqual(found)
    const log = await open('/data', { ports })
    expect(await verifyLog('/data', { ports })).toEqual(found)
    await log.close()
  })

  test('names file and byte of a damaged batch, and reads those behind it', async () => {
    const ports = await closedLog()
    ports.machine.disk.files().get(FIRST.slice(1))?.rot(100, 1)
    const { faults, batches } = await verifyLog('/data', { ports })
    expect(batches).toBe(3)
    expect(faults).toEqual([
      { file: FIRST, position: 0, kind: 'corruption', reason: 'its checksum does not match' },
    ])
  })

  test('tells a torn tail from corruption', async () => {
    const ports = await closedLog()
    const path = '/data/t-0/00000000000000000002.log'
    const file = await ports.fileSystem.open(path, 'write')
    await file.write(Buffer.alloc(40, 1), 2 * batchBytes)
    const { faults } = await verifyLog('/data', { ports })
    expect(faults).toMatchObject([{ file: path, position: 2 * batchBytes, kind: 'torn-tail' }])
  })

  test('finds an index file that disagrees with its segment', async () => {
    const ports = await closedLog()
    const path = FIRST.replace('.log', '.index')
    ports.machine.disk.files().get(path.slice(1))?.rot(7, 1)
    const { faults } = await verifyLog('/data', { ports })
    expect(faults).toMatchObject([{ file: path, position: 7 }])
  })

  test('finds a damaged registry, and says when there is no log', async () => {
    const ports = await closedLog()
    ports.machine.disk.files().get('data/topics.checkpoint')?.rot(30, 1)
    const { faults } = await verifyLog('/data', { ports })
    expect(faults).toMatchObject([{ file: '/data/topics.checkpoint' }])
    await expect(verifyLog('/none', { ports })).rejects.toMatchObject({ code: 'USAGE' })
  })

  test('changes nothing', async () => {
    const ports = await closedLog()
    const changes: string[] = []
    ports.fileSystem.onOperation = ({ kind, path }) => {
      if (!['open', 'read', 'inspect'].includes(kind)) changes.push(`${kind} ${path}`)
    }
    await verifyLog('/data', { ports })
    expect(changes).toEqual([])
  })
})
