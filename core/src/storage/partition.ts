import { encodeControlBatch } from '../batch/control.ts'
import { readHeader, stampBatch } from '../batch/header.ts'
import type { ControlBatch } from '../batch/control.ts'
import type { BatchHeader } from '../batch/header.ts'
import { UnavailableError } from '../errors.ts'
import type { Clock, Timer } from '../io/index.ts'
import type { AppendRequest, AppendResult, Durability, TopicConfig } from '../log.ts'
import { checkBatch } from './check-batch.ts'
import { Committer } from './committer.ts'
import type { CommitTarget, PendingAppend } from './committer.ts'
import type { Disk } from './disk.ts'
import type { LogClock } from './log-clock.ts'
import type { PartitionLog } from './partition-log.ts'
import { checkpointPartition } from './partition-checkpoint.ts'
import { writeIndexFiles } from './segment-files.ts'
import { SegmentRemoval } from './segment-removal.ts'
import { SegmentWriter } from './segment-writer.ts'
import { Visibility } from './visibility.ts'
import type { WatermarkFile } from './watermark.ts'

/** An idle partition syncs what no acknowledgement has asked for yet, after this long. */
const LAZY_SYNC_MS = 1000

/** What a partition is opened with. */
export interface PartitionOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** The log's own time, which appends age by. */
  readonly time: LogClock
  readonly log: PartitionLog
  readonly watermark: WatermarkFile
  readonly config: TopicConfig
  /** The epoch of this opening of the data directory. */
  readonly leaderEpoch: number
  /** What a close leaves behind for the next opening is there already. */
  readonly isClosedInOrder: boolean
  /** The watermark says how far the log was recovered. */
  readonly isWatermarkCurrent: boolean
  /** Asked about every batch from outside before it is queued; throws to refuse it. */
  readonly admit?: ((header: BatchHeader, partition: Partition) => void) | undefined
}

/**
 * A partition open for writing: appends, rolls, and says what is visible. Everything about its files
 * happens in its committer, one step after the other.
 */
export class Partition implements CommitTarget {
  readonly log: PartitionLog
  readonly leaderEpoch: number
  config: TopicConfig
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #time: LogClock
  readonly #writer: SegmentWriter
  readonly #removal: SegmentRemoval
  readonly #watermark: WatermarkFile
  readonly #admit: PartitionOptions['admit']
  readonly #committer: Committer
  readonly #visibility: Visibility
  #nextOffset: number
  readonly #wasClosedInOrder: boolean
  #lazySync: Timer | undefined
  #isClosing = false

  constructor(options: PartitionOptions) {
    this.log = options.log
    this.leaderEpoch = options.leaderEpoch
    this.config = options.config
    this.#disk = options.disk
    this.#clock = options.clock
    this.#time = options.time
    this.#watermark = options.watermark
    this.#admit = options.admit
    this.#wasClosedInOrder = options.isClosedInOrder
    this.#committer = new Committer(this)
    this.#nextOffset = this.log.endOffset
    this.#writer = new SegmentWriter(options, (offset) =>
      this.#visibility.noteSynced(offset, this.config.durability),
    )
    this.#visibility = new Visibility(this.log, this.#writer, this.#watermark)
    this.#removal = new SegmentRemoval(options, this.#writer)
    if (!options.isWatermarkCurrent) this.#visibility.mark()
  }

  /** Records below this offset survive power loss. */
  get syncedOffset(): number {
    return this.#visibility.syncedOffset
  }

  get unsyncedBytes(): number {
    // Only `fsync` promises anything that recovery must be able to tell apart.
    if (this.config.durability !== 'fsync') return 0
    return this.#writer.active.sizeBytes - this.#writer.syncedPosition
  }

  /**
   * Appends a batch from outside; resolves when it has reached the topic's level, or, inside a
   * transaction, when it is written (the commit syncs it).
   *
   * @throws RejectedError RECORD_INVALID, RECORD_TOO_LARGE; CorruptDataError on a damaged partition.
   */
  append(
    { batch, needsCrc = false }: Pick<AppendRequest, 'batch' | 'needsCrc'>,
    level: Durability = this.config.durability,
  ): Promise<AppendResult> {
    let header: BatchHeader
    try {
      this.#assertWritable()
      header = checkBatch(batch, needsCrc, this.log.topic, this.config.maxMessageBytes)
      this.#admit?.(header, this)
    } catch (error) {
      return Promise.reject(error)
    }
    const needsSync = level === 'fsync' && !header.isTransactional
    return this.#push(batch, header, needsSync)
  }

  /**
   * Appends a transaction's end marker; resolves when it is written, not when it is durable.
   *
   * @throws ClosedError the topic was deleted since the transaction wrote to it, or the log was closed.
   */
  appendMarker(marker: ControlBatch): Promise<AppendResult> {
    if (this.#isClosing) return Promise.reject(this.log.closedError())
    const bytes = encodeControlBatch(marker)
    return this.#push(bytes, readHeader(bytes, 0), false)
  }

  /** Makes everything appended so far durable. */
  async flush(): Promise<void> {
    // What lies before a damage was synced long ago, and the watermark that says so must stay.
    if (this.log.damage === undefined) await this.#push(undefined, undefined, true)
  }

  /**
   * Gives up the records below `offset`, at most the visible ones; resolves with the new start once it
   * is durable.
   */
  async trim(offset: number): Promise<number> {
    this.#assertWritable()
    // What retention does next may not be durable yet when the caller is told.
    let durableStart = this.log.startOffset
    await this.#push(undefined, undefined, true, async () => {
      const startOffset = Math.min(offset, this.log.visibleOffset)
      durableStart = this.log.startOffset
      if (startOffset <= durableStart) return
      await this.#removal.trim(startOffset)
      durableStart = this.log.startOffset
    })
    return durableStart
  }

  /** Deletes the segments that are too old or too many; a full disk does not stop it. */
  async enforceRetention(): Promise<void> {
    if (this.#removal.keepsAll(this.config)) return
    if (this.#isClosing || this.log.damage !== undefined) return
    await this.#push(undefined, undefined, false, () => this.#removal.expire(this.config))
  }

  /** Goes on in a new segment. */
  async roll(): Promise<void> {
    await this.#push(undefined, undefined, true, async () => {
      if (this.#writer.active.sizeBytes > 0) await this.#writer.roll(this.log.endOffset)
    })
  }

  /** Deletes the sealed segments that lie wholly below `offset`. */
  async dropBelow(offset: number): Promise<void> {
    await this.#push(undefined, undefined, false, () => this.#removal.dropBelow(offset))
  }

  /** Resolves once everything below `offset` has been synced, without asking for it. */
  whenSynced(offset: number): Promise<void> {
    return this.#visibility.whenSynced(offset)
  }

  /** Nothing can be appended any more: closed, or the topic was deleted. */
  get isClosed(): boolean {
    return this.#isClosing
  }

  /**
   * Resolves when whatever is durable by now can be seen by another process.
   *
   * @throws UnavailableError when there is no room to say so.
   */
  watermarkSettled(): Promise<void> {
    return this.#watermark.settled()
  }

  /** Calls back whenever more becomes visible or stable, until the returned function is called. */
  onChange(wake: () => void): () => void {
    return this.#visibility.onChange(wake)
  }

  /** Tells waiting readers to look again. */
  wake(): void {
    this.#visibility.wake()
  }

  /**
   * Syncs, notes what a later opening wants to know, and closes the files. A partition about to be
   * deleted is only closed.
   */
  async close(isDeleted = false): Promise<void> {
    this.#isClosing = true
    this.#lazySync?.cancel()
    try {
      const isSound = this.#disk.failure === undefined && this.log.damage === undefined
      const isOrderly = isSound && !isDeleted
      const isChanged = this.#writer.isEpochRecorded || !this.#wasClosedInOrder
      const needsSync = this.config.durability !== 'memory'
      if (isOrderly && isChanged) await this.#push(undefined, undefined, needsSync, this.#leave)
      await this.#committer.settled()
    } finally {
      await this.#watermark.close()
      await Promise.all(this.log.segments.map((segment) => segment.close()))
    }
  }

  #assertWritable(): void {
    if (this.#isClosing) throw this.log.closedError()
    this.#disk.assertUsable()
    const damage = this.log.damage
    if (damage !== undefined) throw this.log.damageError(damage)
  }

  #push(
    bytes: Uint8Array | undefined,
    header: BatchHeader | undefined,
    needsSync: boolean,
    task?: () => Promise<void>,
  ): Promise<AppendResult> {
    if (this.#isClosing && task !== this.#leave) return Promise.reject(this.log.closedError())
    return new Promise((resolve, reject) => {
      this.#committer.push({
        bytes,
        header,
        needsSync,
        task,
        baseOffset: -1,
        isDuplicate: false,
        resolve,
        reject,
      })
    })
  }

  // The committer's side.

  place(append: PendingAppend): boolean {
    const { bytes, header } = append
    if (bytes === undefined || header === undefined) return false
    if (header.producerId >= 0 && !header.isControl) {
      const duplicate = this.log.producers.add(header, this.#nextOffset)
      if (duplicate !== undefined) {
        append.baseOffset = duplicate.baseOffset
        append.isDuplicate = true
        return false
      }
    }
    append.baseOffset = this.#nextOffset
    stampBatch(bytes, 0, this.#nextOffset, this.leaderEpoch)
    this.#nextOffset += header.lastOffsetDelta + 1
    return true
  }

  epochAt(offset: number): number {
    return this.log.epochs.at(offset)
  }

  rollBack(): void {
    this.log.producers.rollBack()
    this.#nextOffset = this.log.endOffset
  }

  write(bytes: Uint8Array, baseOffset: number, isSyncNext: boolean): Promise<void> {
    return this.#writer.write(bytes, baseOffset, isSyncNext, this.config)
  }

  written(appends: readonly PendingAppend[]): void {
    const { active } = this.#writer
    const nowMs = this.#time.stampMs()
    if (active.firstAppendMs < 0) active.firstAppendMs = nowMs
    active.lastAppendMs = Math.max(active.lastAppendMs, nowMs)
    for (const { header, baseOffset } of appends) {
      if (header !== undefined) this.log.add(active, baseOffset, header)
    }
    this.log.producers.keep()
    this.#visibility.noteWritten(this.config.durability)
  }

  sync(): Promise<void> {
    return this.#writer.sync()
  }

  idle(): void {
    if (this.#isClosing || this.#lazySync !== undefined) return
    if (this.config.durability === 'memory' || this.syncedOffset === this.log.endOffset) return
    if (this.#disk.failure !== undefined) return
    const flush = (): void => {
      this.#lazySync = undefined
      this.flush().catch(() => {
        // The disk failed, and everybody who waits is told so.
      })
    }
    this.#lazySync = this.#clock.schedule(LAZY_SYNC_MS, flush, 'background')
  }

  readonly #leave = async (): Promise<void> => {
    await writeIndexFiles(this.#disk, this.#writer.active, 'growing')
    if (!this.#writer.isEpochRecorded) return
    try {
      await checkpointPartition(this.#disk, this.log, this.log.segments)
    } catch (error) {
      // Without room for it the next opening takes the last append to be as late as it can be.
      if (!(error instanceof UnavailableError)) throw error
    }
  }
}
