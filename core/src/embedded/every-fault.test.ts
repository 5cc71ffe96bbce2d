import { describe, expect, test } from 'vitest'
import { FailedError, MillraceError } from '../errors.ts'
import { open } from '../open.ts'
import { append, failAt, readValues, simulatedPorts } from '../testing/index.ts'
import type { DiskOperationKind, Fault, SimulatedPorts } from '../testing/index.ts'

/** What was answered, and so must be there. */
interface Answered {
  /** The log failed for good. */
  hasFailed: boolean
  plain: string[]
  committed: string[]
  position: number
}

function nothingYet(): Answered {
  return { hasFailed: false, plain: [], committed: [], position: 0 }
}

/** Uses a log for a while; whatever the disk does, only errors meant for callers come out. */
async function use(ports: SimulatedPorts, answered: Answered): Promise<void> {
  const attempt = async (run: () => Promise<void>): Promise<void> => {
    try {
      await run()
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      if (error instanceof FailedError) answered.hasFailed = true
    }
  }
  await attempt(async () => {
    const log = await open('/data', { ports })
    await attempt(async () => {
      const config = { segmentBytes: 1024 }
      const { topicId } = await log.createTopic({ name: 't', partitions: 2, config })
      for (const value of ['a', 'b', 'c']) {
        await attempt(async () => {
          await append(log, 't', 0, [value.repeat(400)])
          answered.plain.push(value.repeat(400))
        })
      }
      await attempt(async () => {
        const producer = await log.initProducer({ transactionalId: 'x' })
        const inside = { ...producer, baseSequence: 0, isTransactional: true }
        await append(log, 't', 0, ['x'], inside)
        await append(log, 't', 1, ['x'], inside)
        const position = await log.findOffset({ topic: 't', partition: 0, at: 'latest' })
        const positions = [{ topic: 't', partition: 0, topicId, position }]
        const commit = { outcome: 'commit', positions: [{ group: 'g', positions }] } as const
        await log.endTransaction({ ...producer, ...commit })
        answered.committed.push('x')
        answered.position = position.offset
      })
      await attempt(async () => {
        await log.createTopic({ name: 'passing' })
        await log.deleteTopic('passing')
      })
    })
    await log.close()
  })
}

/** Opens what a power loss leaves, on a disk that works, and compares. */
async function check(ports: SimulatedPorts, answered: Answered, what: string): Promise<void> {
  ports.machine.losePower()
  const log = await open('/data', { ports: ports.machine.boot() })
  expect((await log.describe()).damaged, what).toEqual([])
  const isThere = (await log.listTopics()).some(({ name }) => name === 't')
  const first = isThere ? await readValues(log, 't', 0, 'read_committed') : []
  const second = isThere ? await readValues(log, 't', 1, 'read_committed') : []
  expect(first, what).toEqual(expect.arrayContaining(answered.plain))
  const halves = [first.includes('x'), second.includes('x')]
  expect(halves[0], what).toBe(halves[1])
  if (answered.committed.length > 0) expect(halves, what).toEqual([true, true])
  const [stored] = await log.readPositions('g')
  expect(stored !== undefined, what).toBe(halves[0])
  if (answered.position > 0) expect(stored?.position.offset, what).toBe(answered.position)
  await log.close()
}

describe('a log whose disk fails once, and whose machine then loses power', () => {
  test.each<Fault>(['EIO', 'ENOSPC', 'short'])(
    'with %s, at any moment, loses nothing that was answered and shows nothing half',
    async (fault) => {
      let ordinal = 1
      for (let wasMet = true; wasMet; ordinal++) {
        const ports = simulatedPorts(ordinal)
        wasMet = false
        ports.fileSystem.faults = failAt(ordinal, fault)
        ports.fileSystem.onOperation = (operation) => {
          if (operation.ordinal === ordinal) wasMet = true
        }
        const answered = nothingYet()
        await use(ports, answered)
        await check(ports, answered, `${fault} at operation ${ordinal}`)
      }
      expect(ordinal).toBeGreaterThan(100)
    },
    120_000,
  )
})

// An open file may have given its descriptor back, but never with bytes that are not synced.
const needDescriptors: ReadonlySet<DiskOperationKind> = new Set([
  'open',
  'create',
  'inspect',
  'read',
  'write',
  'truncate',
  'syncDirectory',
])

test('a process that once has no file left fails nothing for good, loses nothing that was answered and shows nothing half', async () => {
  let ordinal = 1
  for (let wasMet = true; wasMet; ordinal++) {
    const ports = simulatedPorts(ordinal)
    wasMet = false
    ports.fileSystem.faults = ({ ordinal: at, kind }) =>
      at === ordinal && needDescriptors.has(kind) ? 'EMFILE' : undefined
    ports.fileSystem.onOperation = (operation) => {
      if (operation.ordinal === ordinal) wasMet = true
    }
    const answered = nothingYet()
    await use(ports, answered)
    expect(answered.hasFailed, `EMFILE at operation ${ordinal}`).toBe(false)
    await check(ports, answered, `EMFILE at operation ${ordinal}`)
  }
  expect(ordinal).toBeGreaterThan(100)
}, 120_000)

/** Runs until done or until the power goes, with operation `ordinal`; true when it went. */
async function losePowerAt(
  ports: SimulatedPorts,
  ordinal: number,
  run: () => Promise<unknown>,
): Promise<boolean> {
  const lost = Promise.withResolvers<boolean>()
  ports.fileSystem.onOperation = (operation) => {
    if (operation.ordinal !== ordinal) return
    ports.machine.losePower()
    lost.resolve(true)
  }
  return Promise.race([lost.promise, run().then(() => false)])
}

test('a log whose machine loses power at any moment, and again while it is opened, keeps what was answered', async () => {
  let ordinal = 1
  for (let wasLost = true; wasLost; ordinal++) {
    const ports = simulatedPorts(ordinal)
    const answered = nothingYet()
    wasLost = await losePowerAt(ports, ordinal, () => use(ports, answered))
    const recovering = ports.machine.boot()
    const inRecovery = 1 + ((ordinal * 7) % 60)
    await losePowerAt(recovering, inRecovery, () => open('/data', { ports: recovering }))
    await check(ports, answered, `power lost at ${ordinal}, then at ${inRecovery}`)
  }
  expect(ordinal).toBeGreaterThan(100)
}, 120_000)
