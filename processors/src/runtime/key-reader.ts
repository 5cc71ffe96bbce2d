import type { BatchReader } from '@millrace/core'
import type { NamedKey } from '../operators/record.ts'
import type { Topic } from '../topic.ts'

const CACHED_KEYS_MAX = 8192
const CACHED_KEY_BYTES_MAX = 64

/**
 * Decodes keys, each of the frequent ones once: keys repeat, and an object per record would cost more
 * than the look-up. Nobody changes a key, so they can be shared.
 */
export class KeyReader {
  readonly #topic: Topic
  readonly #cache = new Map<string, NamedKey>()

  constructor(topic: Topic) {
    this.#topic = topic
  }

  /** The key of the cursor's record. @throws RejectedError when the bytes are no such key. */
  read(cursor: BatchReader): NamedKey | null {
    const { keyLength, keyStart, bytes } = cursor
    if (keyLength < 0 || this.#topic.keyColumns.length === 0) return null
    const end = keyStart + keyLength
    if (keyLength > CACHED_KEY_BYTES_MAX) return this.#topic.key.decode(bytes, keyStart, end)
    const text = bytes.toString('latin1', keyStart, end)
    const known = this.#cache.get(text)
    if (known !== undefined) return known
    const key = this.#topic.key.decode(bytes, keyStart, end)
    if (this.#cache.size >= CACHED_KEYS_MAX) this.#cache.clear()
    this.#cache.set(text, key)
    return key
  }
}
