import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { BatchReader, BatchWriter, type Log, open, Producer, type Serde } from '@millrace/core'
import { recycle } from '@millrace/core/internal'
import { cpuTimeOf } from './cpu-time.ts'
import type { Step } from './cost.ts'

type Row = Record<string, unknown>

const baseMs = 1_700_000_000_000
const batchBytes = 1024 * 1024
const fetchBytes = 1024 * 1024

/** From an object to bytes that others may see, and back. */
export async function logSteps(
  directory: string,
  serde: Serde<Row>,
  rows: readonly Row[],
): Promise<Step[]> {
  const count = rows.length
  const steps: Step[] = []
  const values = rows.map((row) => Buffer.from(serde.serialize(row) ?? []))
  const valueBytes = values.reduce((bytes, value) => bytes + value.length, 0) / count
  const encode = await cpuTimeOf(() => {
    for (const row of rows) serde.encode(row)
  })
  steps.push({ what: 'value → JSON text, as bytes', time: encode, bytes: valueBytes, of: 'text' })

  const batches = batchesOf(values)
  const batchedBytes = batches.reduce((bytes, batch) => bytes + batch.length, 0) / count
  const write = await cpuTimeOf(() => void batchesOf(values, true))
  steps.push({
    what: 'into the batch: lengths, deltas, a copy of the value',
    time: write,
    bytes: batchedBytes - valueBytes,
    of: 'lengths, deltas, headers',
  })

  const sent = await cpuTimeOf(() => sendAll(idleLog(), serde, rows))
  steps.push({
    what: '`send`: partition, budget, handle for the outcome, the record object',
    time: minus(sent, encode, write),
  })
  const crc = await cpuTimeOf(() => {
    for (const batch of batches) crc32c(batch)
  })
  steps.push({ what: 'CRC32C, once', time: crc })

  const log = await open(join(directory, 'log'))
  await log.createTopic({ name: 'cost' })
  const append = await cpuTimeOf(async () => {
    // Those that the log has stamped before; it stamps them again.
    await Promise.all(batches.map((batch) => log.append({ ...place, batch, needsCrc: true })))
  })
  steps.push({
    what: 'log: checks, offsets, indexes, group commit, visibility; write and sync on other threads',
    time: minus(append, crc),
    bytes: batchedBytes,
    of: 'written and synced',
  })
  steps.push(...(await readSteps(log, serde, count)))
  await log.close()
  return steps
}

const place = { topic: 'cost', partition: 0 } as const

async function readSteps(log: Log, serde: Serde<Row>, count: number): Promise<Step[]> {
  const pieces: Uint8Array[] = []
  await fetchAll(log, count, (piece) => void pieces.push(piece))
  const fetch = await cpuTimeOf(() => fetchAll(log, count, recycle))
  const step = await cpuTimeOf(() => {
    for (const piece of pieces) for (const reader = new BatchReader(piece); reader.next(););
  })
  const decode = await cpuTimeOf(() => {
    for (const piece of pieces) {
      const reader = new BatchReader(piece)
      while (reader.next()) {
        serde.decode(reader.bytes, reader.valueStart, reader.valueStart + reader.valueLength)
      }
    }
  })
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0) / count
  return [
    { what: '`fetch`: read, CRC32C, continuity', time: fetch, bytes, of: 'read' },
    { what: 'step from record to record', time: step },
    { what: 'JSON bytes → value', time: minus(decode, step) },
  ]
}

async function fetchAll(log: Log, count: number, take: (piece: Uint8Array) => void): Promise<void> {
  let position = { offset: 0, leaderEpoch: -1 }
  while (position.offset < count) {
    const { partitions } = await log.fetch({
      isolation: 'read_committed',
      maxWaitMs: 0,
      maxBytes: fetchBytes,
      partitions: [{ ...place, position, maxBytes: fetchBytes }],
    })
    const [fetched] = partitions
    if (fetched === undefined || fetched.error !== undefined) throw new Error('fetch failed')
    take(fetched.batches)
    position = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
  }
}

function batchesOf(values: readonly Buffer[], isThrownAway = false): Uint8Array[] {
  const batches: Uint8Array[] = []
  const writer = new BatchWriter(batchBytes)
  const end = (): void => {
    const batch = writer.finish({ withoutCrc: true })
    if (isThrownAway) recycle(batch)
    else batches.push(batch)
  }
  for (const [index, value] of values.entries()) {
    writer.append(null, value, baseMs + index)
    if (writer.sizeBytes > batchBytes - 1024) end()
  }
  if (writer.recordCount > 0) end()
  return batches
}

async function sendAll(log: Log, serde: Serde<Row>, rows: readonly Row[]): Promise<void> {
  const producer = new Producer(log, { value: serde })
  for (const [index, value] of rows.entries()) {
    void producer.send({ topic: 'cost', value, timestampMs: baseMs + index })
    if (producer.isFull) await producer.room()
  }
  await producer.close()
}

/** A log that says yes to everything and keeps nothing: what is left is the producer's own cost. */
function idleLog(): Log {
  const partitions = [{}]
  const config = { compression: 'none', maxMessageBytes: batchBytes + 1024 }
  const answers = {
    describeTopic: () => Promise.resolve({ name: 'cost', config, partitions }),
    initProducer: () => Promise.resolve({ producerId: 1, producerEpoch: 0 }),
    append: () =>
      new Promise((resolve) => {
        setImmediate(() => resolve({ baseOffset: 0, leaderEpoch: 0, duplicate: false }))
      }),
  }
  return answers as unknown as Log
}

/** What is left of a time without those of its parts. */
export function minus(whole: Step['time'], ...parts: Step['time'][]): Step['time'] {
  return parts.reduce(
    (left, part) => ({
      mainNs: Math.max(0, left.mainNs - part.mainNs),
      otherNs: Math.max(0, left.otherNs - part.otherNs),
      wallNs: Math.max(0, left.wallNs - part.wallNs),
    }),
    whole,
  )
}
