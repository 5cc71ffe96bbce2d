/** Small ones share Node's pool, which is much cheaper; larger ones must not hold on to it. */
const POOLED_BYTES_MAX = 2048
/** Smaller buffers are cheap to make, and would only crowd out the large ones. */
const REUSED_BYTES_MIN = 64 * 1024
const REUSED_BYTES_MAX = 4 * 1024 * 1024
const KEPT_BYTES_MAX = 16 * 1024 * 1024

/** Takes memory back that another thread has lent. */
export type Lender = (memory: ArrayBuffer) => void

/**
 * Memory of batches that were written or read, for the next ones. Fresh memory costs a page fault every 4 KiB,
 * and every few megabytes of it a garbage collection: together a third of all time, before this.
 */
class BatchMemory {
  /** By size, which is a multiple of the smallest. */
  readonly #kept = new Map<number, Buffer[]>()
  readonly #lent = new WeakSet<ArrayBufferLike>()
  readonly #borrowed = new WeakMap<ArrayBufferLike, Lender>()
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

  /**
   * Takes back what {@link take} gave, or a view of it; what was borrowed goes to its lender. Other bytes,
   * and what was moved away, it leaves.
   */
  giveBack({ buffer }: Uint8Array): void {
    if (buffer.byteLength < REUSED_BYTES_MIN) return
    const lender = this.#borrowed.get(buffer)
    if (lender !== undefined) {
      this.#borrowed.delete(buffer)
      lender(buffer as ArrayBuffer)
    } else if (this.#lent.delete(buffer)) this.#keep(buffer)
  }

  /** These bytes came from another thread together with their memory: given back, it goes there again. */
  borrow({ buffer }: Uint8Array, lender: Lender): void {
    const isWorthIt = buffer instanceof ArrayBuffer && isReused(buffer)
    if (isWorthIt) this.#borrowed.set(buffer, lender)
  }

  /** Takes memory that went to another thread and has come back; nobody else may have it. */
  comeBack(memory: ArrayBuffer): void {
    if (isReused(memory)) this.#keep(memory)
  }

  #keep(buffer: ArrayBufferLike): void {
    const size = buffer.byteLength
    if (this.#keptBytes + size > KEPT_BYTES_MAX) return
    const kept = this.#kept.get(size) ?? []
    kept.push(Buffer.from(buffer))
    this.#kept.set(size, kept)
    this.#keptBytes += size
  }
}

function isReused({ byteLength }: ArrayBuffer): boolean {
  const isInRange = byteLength >= REUSED_BYTES_MIN && byteLength <= REUSED_BYTES_MAX
  return isInRange && byteLength % REUSED_BYTES_MIN === 0
}

/** One for the whole thread: it keeps at most 16 MiB, whoever makes batches. */
export const batchMemory: BatchMemory = new BatchMemory()
