/**
 * What members of a group tell each other, in the form of Kafka's consumer protocol (version 1), so
 * that Kafka's own tools can show it.
 */
import { CorruptDataError } from '../errors.ts'
import type { TopicPartition } from '../record.ts'

/** Kafka's name for groups of consumers. */
export const PROTOCOL_TYPE = 'consumer'
/** Name of our one way to divide partitions. */
export const PROTOCOL_NAME = 'millrace-sticky'

const VERSION = 1

/** What a member brings when it joins. */
export interface Subscription {
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
}

export function encodeSubscription({ topics, owned }: Subscription): Uint8Array {
  const names = topics.map(encodeString)
  return Buffer.concat([
    int16(VERSION),
    int32(names.length),
    ...names,
    int32(-1),
    encodePartitions(owned),
  ])
}

/** @throws CorruptDataError when the bytes are no subscription. */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const reader = new ProtocolReader(bytes)
  const version = reader.int16()
  const topics = reader.array(() => reader.string())
  reader.skipBytes()
  return { topics, owned: version >= 1 ? reader.partitions() : [] }
}

/** What the leader gives each member. */
export function encodeAssignment(partitions: readonly TopicPartition[]): Uint8Array {
  return Buffer.concat([int16(VERSION), encodePartitions(partitions), int32(-1)])
}

/** No bytes at all mean no partitions. @throws CorruptDataError when they are no assignment. */
export function decodeAssignment(bytes: Uint8Array): TopicPartition[] {
  if (bytes.length === 0) return []
  const reader = new ProtocolReader(bytes)
  reader.int16()
  return reader.partitions()
}

function encodePartitions(places: readonly TopicPartition[]): Buffer {
  const byTopic = Map.groupBy(places, ({ topic }) => topic)
  const parts: Buffer[] = [int32(byTopic.size)]
  for (const [topic, ofTopic] of byTopic) {
    parts.push(encodeString(topic), int32(ofTopic.length))
    for (const { partition } of ofTopic) parts.push(int32(partition))
  }
  return Buffer.concat(parts)
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([int16(bytes.length), bytes])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

class ProtocolReader {
  readonly #bytes: Buffer
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes)
  }

  int16(): number {
    return this.#take(2).readInt16BE()
  }

  int32(): number {
    return this.#take(4).readInt32BE()
  }

  string(): string {
    return this.#take(this.int16()).toString()
  }

  skipBytes(): void {
    const length = this.int32()
    if (length > 0) this.#take(length)
  }

  array<T>(readItem: () => T): T[] {
    const items: T[] = []
    for (let count = this.int32(); count > 0; count--) items.push(readItem())
    return items
  }

  partitions(): TopicPartition[] {
    return this.array(() => {
      const topic = this.string()
      return this.array(() => ({ topic, partition: this.int32() }))
    }).flat()
  }

  #take(length: number): Buffer {
    const end = this.#position + length
    if (length < 0 || end > this.#bytes.length) {
      throw new CorruptDataError('CORRUPT_DATA', 'A group member sent bytes that make no sense.')
    }
    const taken = this.#bytes.subarray(this.#position, end)
    this.#position = end
    return taken
  }
}
