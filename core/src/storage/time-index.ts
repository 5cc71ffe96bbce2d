import { writeInt32, writeInt64 } from '../batch/integers.ts'

const ENTRY_BYTES = 12

/**
 * When batches happened: a sparse map from the largest timestamp so far to the offset that has it.
 * Like the offset index it is built from the batches and only written for Kafka's tools.
 */
export class TimeIndex {
  #timestampsMs: number[] = []
  #offsets: number[] = []

  /** Entries. */
  get count(): number {
    return this.#offsets.length
  }

  /** Adds an entry unless time has not moved on since the last one; `offset` is relative. */
  add(maxTimestampMs: number, offset: number): void {
    const last = this.#timestampsMs.at(-1)
    if (last !== undefined && maxTimestampMs <= last) return
    this.#timestampsMs.push(maxTimestampMs)
    this.#offsets.push(offset)
  }

  /** A relative offset at or before the first record that is at or after `timestampMs`. */
  floor(timestampMs: number): number {
    let low = 0
    let high = this.#timestampsMs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#timestampsMs[middle] ?? 0) < timestampMs) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : (this.#offsets[low - 1] ?? 0)
  }

  /** Keeps every `stride`th entry, for segments that are no longer written. */
  thin(stride: number): void {
    if (stride <= 1) return
    this.#timestampsMs = this.#timestampsMs.filter((_, entry) => entry % stride === 0)
    this.#offsets = this.#offsets.filter((_, entry) => entry % stride === 0)
  }

  /** Size of {@link TimeIndex.encode}'s answer. */
  get encodedBytes(): number {
    return this.#offsets.length * ENTRY_BYTES
  }

  /** The content of Kafka's `.timeindex` file: timestamp (8 bytes) and relative offset (4 bytes). */
  encode(): Uint8Array {
    const bytes = new Uint8Array(this.encodedBytes)
    this.#offsets.forEach((offset, entry) => {
      writeInt64(bytes, entry * ENTRY_BYTES, this.#timestampsMs[entry] ?? 0)
      writeInt32(bytes, entry * ENTRY_BYTES + 8, offset)
    })
    return bytes
  }
}
