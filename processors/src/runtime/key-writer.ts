import { type Encoded, partitionOfKey } from '@millrace/core'
import type { NamedKey } from '../operators/record.ts'
import type { Topic } from '../topic.ts'

/** A power of two. */
const KNOWN_KEYS = 2048
const KNOWN_TEXT_LENGTH_MAX = 32

/** A key as it is written, and where records with it belong. */
export interface WrittenKey {
  readonly named: NamedKey | null
  readonly encoded: Encoded
  /** By the key's hash; 0 without a key or a hash. */
  readonly partition: number
}

interface KnownKey {
  readonly text: string
  readonly key: WrittenKey
}

/**
 * Makes the keys that records are written with. Where a key is one text property of the value, each of
 * the frequent ones is made once: they repeat, and to encode and hash one costs more than all else that
 * is done to write a record.
 */
export class KeyWriter {
  readonly #topic: Topic
  readonly #partitions: number
  readonly #property: string | undefined
  /** By hash: the last key seen there. */
  readonly #known: (KnownKey | undefined)[] = Array.from({ length: KNOWN_KEYS })

  /** @param partitions what to divide by hash; 0: records go elsewhere, and nothing is hashed. */
  constructor(topic: Topic, partitions: number) {
    this.#topic = topic
    this.#partitions = partitions
    const { keyByName, keyColumns } = topic
    if (keyByName === true && keyColumns.length === 1) this.#property = keyColumns[0]?.name
  }

  /**
   * @param streamKey the record's own key, used where the topic takes none from the value.
   * @throws what the topic's serde throws.
   */
  write(value: unknown, streamKey: NamedKey | null): WrittenKey {
    const property = this.#property
    if (property === undefined) return this.#make(value, streamKey)
    const text = (value as NamedKey | null)?.[property]
    if (typeof text !== 'string' || text.length > KNOWN_TEXT_LENGTH_MAX) {
      return this.#make(value, streamKey)
    }
    const slot = hashOf(text) & (KNOWN_KEYS - 1)
    const known = this.#known[slot]
    if (known?.text === text) return known.key
    const key = this.#make(value, streamKey)
    this.#known[slot] = { text, key }
    return key
  }

  #make(value: unknown, streamKey: NamedKey | null): WrittenKey {
    const { keyOf, key } = this.#topic
    const named = keyOf === undefined || value === null ? streamKey : keyOf(value)
    const encoded = named === null ? null : key.encode(named)
    const isHashed = encoded !== null && this.#partitions > 0
    return { named, encoded, partition: isHashed ? partitionOfKey(encoded, this.#partitions) : 0 }
  }
}

function hashOf(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0
  return hash ^ (hash >>> 11)
}
