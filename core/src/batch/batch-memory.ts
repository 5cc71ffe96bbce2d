/** Small ones share Node's pool, which is much cheaper; larger ones must not hold on to it. */
const POOLED_BYTES_MAX = 2048
/** Smaller buffers are cheap to make, and would only crowd out the large ones. */
const REUSED_BYTES_MIN = 64 * 1024
const REUSED_BYTES_MAX = 4 * 1024 * 1024
const KEPT_BYTES_MAX = 16 * 1024 * 1024

/**
 * Memory of batches that were written or read, for the next ones. Fresh memory costs a page fault every 4 KiB,
 * and every few megabytes of it a garbage collection: together a third of all time, before this.
 */
class BatchMemory {
  /** By size, which is a multiple of the smallest. */
  readonly #kept = new Map<number, Buffer[]>()
  readonly #lent = new WeakSet<ArrayBufferLike>()
  #keptBytes = 0

  /** A buffer of at least this size, with anything in it. */
  take(bytes: number): Buffer {
    if (bytes < POOLED_BYTES_MAX) return Buffer.allocUnsafe(bytes)
    if (bytes < REUSED_BYTES_MIN || bytes > REUSED_BYTES_MAX) return Buffer.allocUnsafeSlow(bytes)
    const size = Math.ceil(bytes / REUSED_BYTES_MIN) * REUSED_BYTES_MIN
    const kept = this.#kept.get(size)?.pop()
    const buffer = kept ?? Buffer.allocUnsafeSlow(size)
    if (kept !== undefined) this.#keptBytes -= size
    this.#lent.add(buffer.buffer)
    return buffer
  }

  /** Takes back what {@link take} gave, or a view of it; other bytes, and what was moved away, it leaves. */
  giveBack(bytes: Uint8Array): void {
    const { buffer } = bytes
    const size = buffer.byteLength
    if (size < REUSED_BYTES_MIN || !this.#lent.delete(buffer)) return
    if (this.#keptBytes + size > KEPT_BYTES_MAX) return
    const kept = this.#kept.get(size) ?? []
    kept.push(Buffer.from(buffer))
    this.#kept.set(size, kept)
    this.#keptBytes += size
  }
}

/** One for the whole thread: it keeps at most 16 MiB, whoever makes batches. */
export const batchMemory: BatchMemory = new BatchMemory()
