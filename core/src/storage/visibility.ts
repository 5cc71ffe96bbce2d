import type { Durability } from '../log.ts'
import type { PartitionLog } from './partition-log.ts'
import type { SegmentWriter } from './segment-writer.ts'
import type { WatermarkFile } from './watermark.ts'

/**
 * How far a partition is durable, and how far it can be seen: by readers in this process, whom it wakes,
 * and by those in other ones, who go by the watermark.
 */
export class Visibility {
  /** Records below this offset survive power loss. */
  syncedOffset: number
  readonly #log: PartitionLog
  readonly #writer: SegmentWriter
  readonly #watermark: WatermarkFile
  readonly #waiters = new Set<() => void>()
  readonly #syncWaiters: { offset: number; resolve: () => void }[] = []

  constructor(log: PartitionLog, writer: SegmentWriter, watermark: WatermarkFile) {
    this.syncedOffset = log.endOffset
    this.#log = log
    this.#writer = writer
    this.#watermark = watermark
  }

  /** Everything up to the log's end was written. */
  noteWritten(level: Durability): void {
    if (level !== 'fsync') this.#show(this.#log.endOffset)
  }

  /** Everything below `endOffset` was synced. */
  noteSynced(endOffset: number, level: Durability): void {
    this.syncedOffset = endOffset
    if (level === 'fsync') this.#show(endOffset)
    else this.mark()
    while (this.#syncWaiters.length > 0) {
      const ready = this.#syncWaiters.findIndex(({ offset }) => offset <= endOffset)
      if (ready < 0) break
      this.#syncWaiters.splice(ready, 1)[0]?.resolve()
    }
  }

  /** Resolves once everything below `offset` has been synced, without asking for it. */
  whenSynced(offset: number): Promise<void> {
    if (offset <= this.syncedOffset) return Promise.resolve()
    return new Promise((resolve) => this.#syncWaiters.push({ offset, resolve }))
  }

  /** Calls back whenever more becomes visible or stable, until the returned function is called. */
  onChange(wake: () => void): () => void {
    this.#waiters.add(wake)
    return () => void this.#waiters.delete(wake)
  }

  /** Tells waiting readers to look again. */
  wake(): void {
    for (const wake of this.#waiters) wake()
  }

  /** Puts on its way, for other processes, how far the log is durable and visible. */
  mark(): void {
    this.#watermark.advance({
      segment: this.#writer.active.baseOffset,
      position: this.#writer.syncedPosition,
      visibleOffset: this.#log.visibleOffset,
    })
  }

  #show(offset: number): void {
    this.#log.visibleOffset = offset
    this.mark()
    this.wake()
  }
}
