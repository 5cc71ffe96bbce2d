import { type Log, open } from '@millrace/core'
import { SimulatedDisk, SimulatedMachine, simulatedPorts } from '@millrace/core/testing'
import { type BatchOptions, BatchWriter } from '../../core/src/batch/index.ts'
import { DIRECTORY } from './directory.ts'

/** What readers get of a small log: bytes per partition and isolation, and the positions of its group. */
export type Content = Map<string, string>

/** A data directory with a bit of everything: rolls, transactions of both ends, positions. */
export async function makeSmallLog(): Promise<SimulatedDisk> {
  const { machine, ...ports } = simulatedPorts(7)
  const log = await open(DIRECTORY, { ports: { ...ports } })
  const { topicId } = await log.createTopic({
    name: 'small',
    partitions: 2,
    config: { segmentBytes: 1024 },
  })
  for (let round = 0; round < 8; round += 1) {
    await append(log, round % 2, `plain ${round} ${'.'.repeat(100)}`)
  }
  for (const outcome of ['commit', 'abort'] as const) {
    const producer = await log.initProducer({ transactionalId: outcome })
    for (const partition of [0, 1]) {
      await append(log, partition, outcome, { ...producer, baseSequence: 0, isTransactional: true })
    }
    const position = {
      offset: 2,
      leaderEpoch: (await log.findOffset({ topic: 'small', partition: 0, at: 'latest' }))
        .leaderEpoch,
    }
    const stored = { topic: 'small', partition: 0, topicId, position, metadata: outcome }
    const positions = [{ group: 'readers', positions: [stored] }]
    await log.endTransaction(
      outcome === 'commit' ? { ...producer, outcome, positions } : { ...producer, outcome },
    )
  }
  await append(log, 0, 'last')
  await log.close()
  return machine.disk
}

async function append(
  log: Log,
  partition: number,
  text: string,
  options: BatchOptions = {},
): Promise<void> {
  const writer = new BatchWriter()
  writer.append(null, text, 1_000_000_000_000)
  await log.append({ topic: 'small', partition, batch: writer.finish(options) })
}

/** Opens a copy of a disk in a process of its own. */
export async function openCopy(disk: SimulatedDisk): Promise<{ log: Log; disk: SimulatedDisk }> {
  const copy = disk.copy()
  const ports = new SimulatedMachine(1, copy).boot()
  return { log: await open(DIRECTORY, { ports }), disk: copy }
}

/** Reads everything that a log gives out; a partition that answers with an error says which. */
export async function readContent(log: Log): Promise<Content> {
  const content: Content = new Map()
  for (const isolation of ['read_uncommitted', 'read_committed'] as const) {
    for (const partition of [0, 1]) {
      content.set(`${isolation} ${partition}`, await readPartition(log, partition, isolation))
    }
  }
  content.set('positions', JSON.stringify(await log.readPositions('readers')))
  return content
}

async function readPartition(
  log: Log,
  partition: number,
  isolation: 'read_uncommitted' | 'read_committed',
): Promise<string> {
  let read = ''
  let position = { offset: 0, leaderEpoch: -1 }
  for (;;) {
    const target = { topic: 'small', partition, position, maxBytes: 1_000_000 }
    const { partitions } = await log.fetch({
      isolation,
      maxWaitMs: 0,
      maxBytes: 1_000_000,
      partitions: [target],
    })
    const [fetched] = partitions
    if (fetched === undefined) return `${read}|no answer`
    if (fetched.error !== undefined) return `${read}|${fetched.error.code}`
    read += Buffer.from(fetched.batches).toString('latin1')
    if (fetched.nextOffset <= position.offset) return read
    position = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
  }
}
