import type { BlockBuffers } from '../files/text/block-cutter.ts'

const spareMax = 8

/** Memory for chunks that is used again: fresh buffers of megabytes are only collected late. */
export class ChunkBuffers implements BlockBuffers {
  readonly #spare: Buffer[] = []

  take(sizeBytes: number): Buffer {
    const index = this.#spare.findIndex((buffer) => buffer.length >= sizeBytes)
    const [buffer] = index < 0 ? [] : this.#spare.splice(index, 1)
    return buffer ?? Buffer.allocUnsafeSlow(sizeBytes)
  }

  /** @param bytes A buffer that was taken, or a part of it. */
  give(bytes: Buffer): void {
    if (this.#spare.length < spareMax) this.#spare.push(Buffer.from(bytes.buffer))
  }
}
