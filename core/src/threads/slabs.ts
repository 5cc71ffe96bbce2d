/** Below this a message's own copy is cheaper. */
const SLAB_BYTES_MIN = 4096
/** What a pool keeps for later. */
const SPARE_BYTES_MAX = 16 * 1024 * 1024

/**
 * Memory that two threads see, used again and again. Bytes cross in it at the price of one copy, where a
 * message of their own costs three, memory that was never touched, and its collection on both sides.
 */
export class Slabs {
  readonly #spare = new Map<number, SharedArrayBuffer[]>()
  #spareBytes = 0

  /** A copy that can be posted without another; undefined for bytes that are too few for it. */
  take(bytes: Uint8Array): Uint8Array | undefined {
    const { length } = bytes
    if (length < SLAB_BYTES_MIN) return undefined
    const slab = this.#slab(2 ** Math.ceil(Math.log2(length)))
    const copy = new Uint8Array(slab, 0, length)
    copy.set(bytes)
    return copy
  }

  /** Nobody uses the copy any more, in either thread. */
  giveBack({ buffer }: Uint8Array): void {
    if (!(buffer instanceof SharedArrayBuffer)) return
    const { byteLength } = buffer
    if (this.#spareBytes + byteLength > SPARE_BYTES_MAX) return
    this.#spareBytes += byteLength
    const spare = this.#spare.get(byteLength)
    if (spare === undefined) this.#spare.set(byteLength, [buffer])
    else spare.push(buffer)
  }

  #slab(sizeBytes: number): SharedArrayBuffer {
    const spare = this.#spare.get(sizeBytes)?.pop()
    if (spare === undefined) return new SharedArrayBuffer(sizeBytes)
    this.#spareBytes -= sizeBytes
    return spare
  }
}
