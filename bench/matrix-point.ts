import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import {
  BatchReader,
  bytes,
  type Compression,
  type Durability,
  json,
  type Log,
  open,
  Producer,
  type Raw,
  type Serde,
  string,
} from '@millrace/core'
import { z } from 'zod'
import { median } from './paired.ts'
import { inScratch } from './scratch.ts'

/** What is appended, and how. */
export interface MatrixCase {
  readonly valueBytes: number
  /** Distinct keys; 0: records without one. */
  readonly keys: number
  readonly partitions: number
  readonly batchBytes: number
  readonly durability: Durability
  readonly compression: Compression
  readonly format: 'bytes' | 'string' | 'json' | 'json with a schema'
}

/** Medians of what one case gave. */
export interface MatrixFigures {
  readonly appended: Speed
  readonly read: Speed
  /** The same bytes, written and synced in 1 MiB pieces by a bare loop. */
  readonly raw: Speed
}

/** How fast; bytes are those of the values. */
export interface Speed {
  readonly recordsPerSecond: number
  readonly megabytesPerSecond: number
}

const MIB = 1024 * 1024
const volumeBytes = 48 * MIB
const recordsMax = 400_000
const rounds = 3

/** Appends, reads back, and writes the same volume by hand, in turn. */
export async function measureCase(each: MatrixCase): Promise<MatrixFigures> {
  const count = Math.min(recordsMax, Math.floor(volumeBytes / each.valueBytes))
  const seconds: Record<keyof MatrixFigures, number[]> = { appended: [], read: [], raw: [] }
  for (let round = 0; round <= rounds; round++) {
    const took = await inScratch((directory) => runOnce(directory, each, count))
    // The first round warms up.
    if (round === 0) continue
    for (const name of ['appended', 'read', 'raw'] as const) seconds[name].push(took[name])
  }
  const speed = (took: readonly number[]): Speed => ({
    recordsPerSecond: count / median(took),
    megabytesPerSecond: (count * each.valueBytes) / 1e6 / median(took),
  })
  return { appended: speed(seconds.appended), read: speed(seconds.read), raw: speed(seconds.raw) }
}

async function runOnce(
  directory: string,
  each: MatrixCase,
  count: number,
): Promise<Record<keyof MatrixFigures, number>> {
  const raw = timed(() => writeRaw(join(directory, 'raw'), count * each.valueBytes))
  const log = await open(join(directory, 'log'))
  const { partitions, durability, compression } = each
  await log.createTopic({ name: 'matrix', partitions, config: { durability, compression } })
  const startMs = performance.now()
  await append(log, each, count)
  const appendedMs = performance.now()
  await read(log, partitions, count)
  const readMs = performance.now()
  await log.close()
  return { raw, appended: (appendedMs - startMs) / 1000, read: (readMs - appendedMs) / 1000 }
}

async function append(log: Log, each: MatrixCase, count: number): Promise<void> {
  const { serde, valueOf } = valuesOf(each)
  const { batchBytes } = each
  const producer = new Producer<Raw, unknown>(log, { value: serde, batchBytes })
  const keys = Array.from({ length: each.keys }, (_, i) => `key-${i}`)
  for (let i = 0; i < count; i++) {
    const key = keys.length === 0 ? null : (keys[i % keys.length] ?? null)
    const partition = key === null ? i % each.partitions : undefined
    const value = valueOf(i)
    void producer.send(
      partition === undefined
        ? { topic: 'matrix', key, value }
        : { topic: 'matrix', partition, value },
    )
    if (producer.isFull) await producer.room()
  }
  await producer.close()
}

/** Touches every key's length and one byte of each value. */
async function read(log: Log, partitions: number, count: number): Promise<void> {
  const positions = Array.from({ length: partitions }, () => 0)
  let seen = 0
  let touched = 0
  while (seen < count) {
    const fetched = await log.fetch({
      isolation: 'read_uncommitted',
      maxWaitMs: 1000,
      maxBytes: 8 * MIB,
      partitions: positions.map((offset, partition) => ({
        topic: 'matrix',
        partition,
        position: { offset, leaderEpoch: -1 },
        maxBytes: MIB,
      })),
    })
    for (const { partition, batches, nextOffset } of fetched.partitions) {
      const reader = new BatchReader(batches)
      while (reader.next()) {
        touched += reader.keyLength + (reader.bytes[reader.valueStart] ?? 0)
        seen += 1
      }
      positions[partition] = nextOffset
    }
  }
  if (touched === 0) throw new Error('nothing was read')
}

interface Values {
  readonly serde: Serde<unknown>
  readonly valueOf: (i: number) => unknown
}

const Event = z.object({ id: z.int(), late: z.boolean(), name: z.string() })

/** Text that compresses as words do, about three to one. */
const words = 'the mill wheel turns while water runs down the race and grain becomes flour '

function valuesOf({ valueBytes, format }: MatrixCase): Values {
  const filler = words.repeat(Math.ceil(valueBytes / words.length)).slice(0, valueBytes)
  if (format === 'bytes') {
    const constant = Buffer.from(filler)
    return { serde: bytes as Serde<unknown>, valueOf: () => constant }
  }
  if (format === 'string') return { serde: string as Serde<unknown>, valueOf: () => filler }
  const name = filler.slice(
    0,
    Math.max(0, valueBytes - '{"id":100000,"late":false,"name":""}'.length),
  )
  const serde = format === 'json' ? json<unknown>() : (json(Event) as Serde<unknown>)
  return { serde, valueOf: (i) => ({ id: 100_000 + (i % 800_000), late: false, name }) }
}

function writeRaw(path: string, sizeBytes: number): void {
  const piece = Buffer.alloc(MIB, 'x')
  const fd = openSync(path, 'w')
  for (let left = sizeBytes; left > 0; left -= MIB) {
    writeSync(fd, piece, 0, Math.min(MIB, left))
    fdatasyncSync(fd)
  }
  closeSync(fd)
}

/** Seconds that it took. */
function timed(work: () => void): number {
  const startMs = performance.now()
  work()
  return (performance.now() - startMs) / 1000
}
