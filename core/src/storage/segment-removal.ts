import { UnavailableError } from '../errors.ts'
import type { TopicConfig } from '../log.ts'
import type { Disk } from './disk.ts'
import type { LogClock } from './log-clock.ts'
import { checkpointPartition } from './partition-checkpoint.ts'
import type { PartitionLog } from './partition-log.ts'
import { countExpired, isTooOld } from './retention.ts'
import { deleteSegments } from './segment-files.ts'
import type { SegmentWriter } from './segment-writer.ts'

/** What a {@link SegmentRemoval} works on. */
export interface SegmentRemovalOptions {
  readonly disk: Disk
  readonly time: LogClock
  readonly log: PartitionLog
}

/** The front of a partition: what retention, a trim or a compacted journal take from it. */
export class SegmentRemoval {
  readonly #disk: Disk
  readonly #time: LogClock
  readonly #log: PartitionLog
  readonly #writer: SegmentWriter
  /** Segments that are part of the log no more, while a full disk does not let go of their files. */
  #undeleted: number[] = []

  constructor({ disk, time, log }: SegmentRemovalOptions, writer: SegmentWriter) {
    this.#disk = disk
    this.#time = time
    this.#log = log
    this.#writer = writer
    for (const segment of log.segments) {
      // When a crash took the time of the last append, that is the latest it can have been.
      if (segment.sizeBytes === 0 || segment.firstAppendMs >= 0) continue
      segment.firstAppendMs = segment.lastAppendMs = time.latestLostMs()
    }
  }

  /** Whether a round of retention has nothing to do. */
  keepsAll({ cleanup, retentionMs, retentionBytes }: TopicConfig): boolean {
    const neverExpires = cleanup === 'compact' || (retentionMs < 0 && retentionBytes < 0)
    return neverExpires && this.#undeleted.length === 0
  }

  /** Deletes the segments that are too old or too many. */
  async expire({ retentionMs, retentionBytes }: TopicConfig): Promise<void> {
    const { segments } = this.#log
    await this.#correctTimes()
    const limits = {
      retentionMs,
      retentionBytes,
      nowMs: this.#time.nowMs(),
      limitOffset: this.#log.lastStableOffset,
    }
    // Before the roll, which needs room: on a full disk only this makes some.
    await this.#deleteOldest(countExpired(segments, limits))
    const { active } = this.#writer
    if (active.sizeBytes === 0 || !isTooOld(active, limits)) return
    await this.#writer.roll(this.#log.endOffset)
    await this.#deleteOldest(countExpired(segments, limits))
  }

  /** Gives up the records below `startOffset`, which become unreadable at once for good. */
  async trim(startOffset: number): Promise<void> {
    const { segments } = this.#log
    await checkpointPartition(this.#disk, this.#log, segments.slice(0, -1), startOffset)
    this.#log.startOffset = startOffset
    await this.dropBelow(startOffset)
  }

  /** Deletes the segments that lie wholly below `offset`. */
  dropBelow(offset: number): Promise<void> {
    return this.#deleteOldest(
      this.#log.segments.filter(({ endOffset }) => endOffset <= offset).length,
    )
  }

  /**
   * Appends were dated as late as they can have been while that was not known. None can have been later
   * than now; kept, so that each opening does not date them later again.
   */
  async #correctTimes(): Promise<void> {
    const certainMs = this.#time.certainMs()
    const { segments } = this.#log
    if (certainMs === undefined || !segments.some((one) => one.lastAppendMs > certainMs)) return
    for (const segment of segments) {
      segment.firstAppendMs = Math.min(segment.firstAppendMs, certainMs)
      segment.lastAppendMs = Math.min(segment.lastAppendMs, certainMs)
    }
    try {
      await checkpointPartition(this.#disk, this.#log, segments)
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error
    }
  }

  /** The last segment always stays: its name is where the log goes on. */
  async #deleteOldest(count: number): Promise<void> {
    const log = this.#log
    const deleted = log.segments.splice(0, Math.min(count, log.segments.length - 1))
    log.startOffset = Math.max(log.startOffset, log.segments[0]?.baseOffset ?? 0)
    log.transactions.trim(log.startOffset)
    this.#undeleted.push(...deleted.map(({ baseOffset }) => baseOffset))
    await Promise.all(deleted.map((segment) => segment.close()))
    if (this.#undeleted.length === 0) return
    await deleteSegments(this.#disk, log.directory, this.#undeleted)
    this.#undeleted = []
  }
}
