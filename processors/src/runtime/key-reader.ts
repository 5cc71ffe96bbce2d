import type { BatchReader } from '@millrace/core'
import type { NamedKey } from '../operators/record.ts'
import type { Topic } from '../topic.ts'

/** A power of two. */
const KNOWN_KEYS = 2048
const KNOWN_KEY_BYTES_MAX = 64

interface KnownKey {
  /** Its bytes, one a character. */
  readonly text: string
  readonly key: NamedKey
}

/**
 * Decodes keys, each of the frequent ones once: keys repeat, and an object per record would cost more
 * than the look-up. Nobody changes a key, so they can be shared.
 */
export class KeyReader {
  readonly #topic: Topic
  /** By hash: the last key seen there. */
  readonly #known: (KnownKey | undefined)[] = Array.from({ length: KNOWN_KEYS })

  constructor(topic: Topic) {
    this.#topic = topic
  }

  /** The key of the cursor's record. @throws RejectedError when the bytes are no such key. */
  read(cursor: BatchReader): NamedKey | null {
    const { keyLength, keyStart, bytes } = cursor
    if (keyLength < 0 || this.#topic.keyColumns.length === 0) return null
    const end = keyStart + keyLength
    if (keyLength > KNOWN_KEY_BYTES_MAX) return this.#topic.key.decode(bytes, keyStart, end)
    const slot = hashOf(bytes, keyStart, end) & (KNOWN_KEYS - 1)
    const known = this.#known[slot]
    if (known !== undefined && isSame(known.text, bytes, keyStart, keyLength)) return known.key
    const key = this.#topic.key.decode(bytes, keyStart, end)
    this.#known[slot] = { text: bytes.toString('latin1', keyStart, end), key }
    return key
  }
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0
  return hash ^ (hash >>> 11)
}

function isSame(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false
  for (let at = 0; at < length; at++) {
    if (text.charCodeAt(at) !== bytes[start + at]) return false
  }
  return true
}
