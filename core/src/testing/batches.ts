import { BatchReader, type BatchOptions, BatchWriter } from '../batch/index.ts'
import type { FetchedPartition, Log } from '../log.ts'

/** A record batch of text values without keys. */
export function batchOf(
  values: readonly string[],
  options: BatchOptions & { readonly timestampMs?: number } = {},
): Uint8Array {
  const writer = new BatchWriter()
  for (const value of values) writer.append(null, value, options.timestampMs ?? 1_000_000_000_000)
  return writer.finish(options)
}

/** The text values of whole batches, markers passed over. */
export function valuesOf(batches: Uint8Array): string[] {
  const reader = new BatchReader(batches)
  const values: string[] = []
  while (reader.next()) values.push(Buffer.from(reader.value ?? new Uint8Array(0)).toString())
  return values
}

/** Appends text values; resolves with the offset of the first. */
export async function append(
  log: Log,
  topic: string,
  partition: number,
  values: readonly string[],
  options: BatchOptions = {},
): Promise<number> {
  const { baseOffset } = await log.append({ topic, partition, batch: batchOf(values, options) })
  return baseOffset
}

/** One fetch of one partition, without waiting unless told to. */
export async function fetchFrom(
  log: Log,
  topic: string,
  partition: number,
  offset: number,
  options: {
    readonly isolation?: 'read_uncommitted' | 'read_committed'
    readonly maxBytes?: number
    readonly maxWaitMs?: number
    readonly leaderEpoch?: number
    readonly topicId?: string
  } = {},
): Promise<FetchedPartition> {
  const { isolation = 'read_uncommitted', maxBytes = 1_000_000, maxWaitMs = 0 } = options
  const position = { offset, leaderEpoch: options.leaderEpoch ?? -1 }
  const target = { topic, partition, position, maxBytes }
  const partitions = [
    options.topicId === undefined ? target : { ...target, topicId: options.topicId },
  ]
  const answer = await log.fetch({ isolation, maxWaitMs, maxBytes, partitions })
  const [fetched] = answer.partitions
  if (fetched === undefined) throw new Error('a fetch answered nothing')
  return fetched
}

/** All values of a partition that a reader with this isolation sees. */
export async function readValues(
  log: Log,
  topic: string,
  partition: number,
  isolation: 'read_uncommitted' | 'read_committed' = 'read_uncommitted',
): Promise<string[]> {
  const values: string[] = []
  const { offset } = await log.findOffset({ topic, partition, at: 'earliest' })
  for (let next = offset; ;) {
    const fetched = await fetchFrom(log, topic, partition, next, { isolation })
    if (fetched.error !== undefined) throw new Error(fetched.error.message)
    values.push(...valuesOf(fetched.batches))
    next = fetched.nextOffset
    const isCommitted = isolation === 'read_committed'
    if (next >= (isCommitted ? fetched.lastStableOffset : fetched.highWatermark)) return values
  }
}
