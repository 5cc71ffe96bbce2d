import { writeInt32 } from '../batch/integers.ts'

const ENTRY_BYTES = 8
const CAPACITY_MIN = 64

/**
 * Where batches lie in a segment: a sparse map from offset to file position, built from the batches
 * themselves whenever a segment is opened. The `.index` file is for Kafka's tools; its bytes are never
 * read back, so they can mislead nobody.
 */
export class OffsetIndex {
  #entries = new Int32Array(CAPACITY_MIN * 3)
  #count = 0

  /** Entries. */
  get count(): number {
    return this.#count
  }

  /** Offsets are relative to the segment's first; entries come in ascending order. */
  add(baseOffset: number, lastOffset: number, position: number): void {
    const at = this.#count * 3
    if (at === this.#entries.length) {
      const larger = new Int32Array(at * 2)
      larger.set(this.#entries)
      this.#entries = larger
    }
    this.#entries[at] = baseOffset
    this.#entries[at + 1] = lastOffset
    this.#entries[at + 2] = position
    this.#count++
  }

  /** Position of the last indexed batch that starts at or below `offset`; 0 when there is none. */
  floor(offset: number): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#at(middle * 3) <= offset) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : this.#at(low * 3 - 1)
  }

  /** Keeps at most every `stride`th entry, for segments that are no longer written. */
  thin(stride: number): void {
    if (stride <= 1) return
    const kept = new Int32Array(Math.ceil(this.#count / stride) * 3)
    for (let from = 0, to = 0; from < this.#count; from += stride, to += 3) {
      kept.set(this.#entries.subarray(from * 3, from * 3 + 3), to)
    }
    this.#entries = kept
    this.#count = kept.length / 3
  }

  /** Size of {@link OffsetIndex.encode}'s answer. */
  get encodedBytes(): number {
    return this.#count * ENTRY_BYTES
  }

  /** The content of Kafka's `.index` file: the batch's last offset and its position, 4 bytes each. */
  encode(): Uint8Array {
    const bytes = new Uint8Array(this.encodedBytes)
    for (let entry = 0; entry < this.#count; entry++) {
      writeInt32(bytes, entry * ENTRY_BYTES, this.#at(entry * 3 + 1))
      writeInt32(bytes, entry * ENTRY_BYTES + 4, this.#at(entry * 3 + 2))
    }
    return bytes
  }

  #at(place: number): number {
    return this.#entries[place] ?? 0
  }
}
