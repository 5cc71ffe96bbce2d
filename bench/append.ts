import { closeSync, fdatasync, openSync, write } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bytes, json, open, Producer, type Raw, type Serde } from '@millrace/core'
import { countedDisk } from './counted-disk.ts'
import { compare } from './paired.ts'
import { ratioRow, type Row } from './report.ts'
import { inScratch } from './scratch.ts'

const recordCount = 1_000_000
const valueBytes = 100
const groupBytes = 1024 * 1024
const fullGroups = Array.from(
  { length: Math.ceil((recordCount * (valueBytes + 10)) / groupBytes) },
  () => groupBytes,
)
/** A group's records are sent in this time (measured). */
const encodeMs = 0.5
const writeFd = promisify(write)
const syncFd = promisify(fdatasync)

/** One producer, 100-byte values, fsync; the raw loop repeats the very groups that our log wrote and synced. */
export async function measure(): Promise<Row[]> {
  const constant = Buffer.alloc(valueBytes, 'x')
  return [
    await row(
      'the same through `TopicAppender`, as pipelines write',
      bytes,
      () => constant,
      append,
    ),
    await row('`send` of 100-byte values, one producer, fsync', bytes, () => constant),
    await row('`send` of objects as JSON, 100 bytes, one producer, fsync', json(), objectOf),
    await sharedCoresCeiling(),
    await objectsCeiling(),
  ]
}

const text = 'x'.repeat(63)

function objectOf(i: number): Record<string, unknown> {
  return { id: 1_000_000_000 + i, late: false, name: text }
}

/** What no log that takes objects can pass on one thread: their text, written into memory. */
async function objectsCeiling(): Promise<Row> {
  const what = 'the ceiling for objects: `JSON.stringify` and `Buffer.write`, without any log'
  return ceilingRow(what, () => Promise.resolve(stringifyAll(groupBytes)))
}

/** What no log can pass that works while the disk does: here the cores, and the disk's, are shared. */
async function sharedCoresCeiling(): Promise<Row> {
  const what = `the ceiling for records: the raw loop, its thread computing ${encodeMs} ms a group meanwhile`
  return ceilingRow(what, () => inScratch((directory) => rawLoop(directory, fullGroups, encodeMs)))
}

async function ceilingRow(what: string, ours: () => Promise<number>): Promise<Row> {
  const baseline = () => inScratch((directory) => rawLoop(directory, fullGroups))
  const found = await compare(ours, baseline)
  return { ...ratioRow(what, found, 0, 0, 'records'), floor: '–', aim: '–' }
}

function stringifyAll(bufferBytes: number): number {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes)
  const startMs = performance.now()
  for (let i = 0, position = 0; i < recordCount; i++) {
    if (position > bufferBytes - 2 * valueBytes) position = 0
    position += buffer.write(JSON.stringify(objectOf(i)), position)
  }
  return recordCount / ((performance.now() - startMs) / 1000)
}

type Fill<V> = (producer: Producer<Raw, V>, valueOf: (i: number) => V) => Promise<void>

async function row<V>(
  what: string,
  serde: Serde<V>,
  valueOf: (i: number) => V,
  fill: Fill<V> = sendAll,
): Promise<Row> {
  let groups: readonly number[] = []
  const ours = () =>
    inScratch(async (directory) => {
      const run = await send(directory, serde, valueOf, fill)
      groups = run.groupBytes
      return run.rate
    })
  await ours()
  const baseline = () => inScratch((directory) => rawLoop(directory, groups))
  return ratioRow(what, await compare(ours, baseline), 0.6, 0.85, 'records')
}

async function send<V>(
  directory: string,
  serde: Serde<V>,
  valueOf: (i: number) => V,
  fill: Fill<V>,
) {
  const { ports, groupBytes } = countedDisk()
  const log = await open(join(directory, 'log'), { ports })
  await log.createTopic({ name: 'bench-topic' })
  const producer = new Producer(log, { value: serde })
  const startMs = performance.now()
  await fill(producer, valueOf)
  await producer.flush()
  const rate = recordCount / ((performance.now() - startMs) / 1000)
  await producer.close()
  await log.close()
  return { rate, groupBytes }
}

async function sendAll<V>(producer: Producer<Raw, V>, valueOf: (i: number) => V): Promise<void> {
  for (let i = 0; i < recordCount; i++) {
    void producer.send({
      topic: 'bench-topic',
      value: valueOf(i),
      timestampMs: 1_700_000_000_000 + i,
    })
    if (producer.isFull) await producer.room()
  }
}

async function append(
  producer: Producer<Raw, Uint8Array>,
  valueOf: (i: number) => Uint8Array,
): Promise<void> {
  const topic = await producer.topic('bench-topic')
  for (let i = 0; i < recordCount; i++) {
    topic.append(0, null, valueOf(i), 1_700_000_000_000 + i)
    if (producer.isFull) await producer.room()
  }
}

/** @param busyMs how long its thread computes while a group is being written. */
async function rawLoop(directory: string, groups: readonly number[], busyMs = 0): Promise<number> {
  const buffer = Buffer.alloc(Math.max(...groups), 'x')
  const fd = openSync(join(directory, 'raw'), 'w')
  const startMs = performance.now()
  for (const size of groups) {
    const writing = writeFd(fd, buffer, 0, size)
    compute(busyMs)
    await writing
    await syncFd(fd)
  }
  const rate = recordCount / ((performance.now() - startMs) / 1000)
  closeSync(fd)
  return rate
}

function compute(durationMs: number): void {
  const endMs = performance.now() + durationMs
  while (performance.now() < endMs);
}
