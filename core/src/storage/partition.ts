import { encodeControlBatch } from '../batch/control.ts'
import { readHeader, stampBatch } from '../batch/header.ts'
import type { ControlBatch } from '../batch/control.ts'
import type { BatchHeader } from '../batch/header.ts'
import { ClosedError, invariant, UnavailableError } from '../errors.ts'
import type { Clock, Timer } from '../io/index.ts'
import type { AppendRequest, AppendResult, Durability, TopicConfig } from '../log.ts'
import type { TopicPartition } from '../record.ts'
import { checkBatch } from './check-batch.ts'
import { Committer } from './committer.ts'
import type { CommitTarget, PendingAppend } from './committer.ts'
import { replaceFile } from './checkpoint.ts'
import type { Disk } from './disk.ts'
import { LEADER_EPOCH_FILE } from './leader-epochs.ts'
import type { LogClock } from './log-clock.ts'
import type { PartitionLog } from './partition-log.ts'
import { writePartitionCheckpoint } from './partition-checkpoint.ts'
import { countExpired, isTooOld } from './retention.ts'
import type { Segment } from './segment.ts'
import { createSegment, deleteSegments, writeIndexFiles } from './segment-files.ts'
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
  readonly #watermark: WatermarkFile
  readonly #admit: PartitionOptions['admit']
  readonly #committer: Committer
  readonly #waiters = new Set<() => void>()
  readonly #syncWaiters: { offset: number; resolve: () => void }[] = []
  #nextOffset: number
  #syncedOffset: number
  #syncedPosition: number
  /** Segments that are part of the log no more, while a full disk does not let go of their files. */
  #undeleted: number[] = []
  #isEpochRecorded = false
  #isRollPending = false
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
    this.#syncedOffset = this.log.endOffset
    this.#syncedPosition = this.#active.sizeBytes
    for (const segment of this.log.segments) this.#assumeAppendedNow(segment)
    if (!options.isWatermarkCurrent) this.#advanceWatermark()
  }

  /** Records below this offset survive power loss. */
  get syncedOffset(): number {
    return this.#syncedOffset
  }

  get unsyncedBytes(): number {
    // Only `fsync` promises anything that recovery must be able to tell apart.
    return this.config.durability === 'fsync' ? this.#active.sizeBytes - this.#syncedPosition : 0
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
    if (this.#isClosing) return Promise.reject(closed(this.log))
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
      await this.#writeCheckpoint(startOffset, false)
      this.log.startOffset = startOffset
      await this.#deleteUnreachable()
      durableStart = this.log.startOffset
    })
    return durableStart
  }

  /** Deletes the segments that are too old or too many; a full disk does not stop it. */
  async enforceRetention(): Promise<void> {
    const { cleanup, retentionMs, retentionBytes } = this.config
    const keepsAll = cleanup === 'compact' || (retentionMs < 0 && retentionBytes < 0)
    if (keepsAll && this.#undeleted.length === 0) return
    if (this.#isClosing || this.log.damage !== undefined) return
    await this.#push(undefined, undefined, false, () => this.#expire())
  }

  /** Goes on in a new segment. */
  async roll(): Promise<void> {
    await this.#push(undefined, undefined, true, async () => {
      if (this.#active.sizeBytes > 0) await this.#roll(this.log.endOffset)
    })
  }

  /** Deletes the sealed segments that lie wholly below `offset`. */
  async dropBelow(offset: number): Promise<void> {
    await this.#push(undefined, undefined, false, () =>
      this.#deleteOldest(this.log.segments.filter(({ endOffset }) => endOffset <= offset).length),
    )
  }

  /** Resolves once everything below `offset` has been synced, without asking for it. */
  whenSynced(offset: number): Promise<void> {
    if (offset <= this.#syncedOffset) return Promise.resolve()
    return new Promise((resolve) => this.#syncWaiters.push({ offset, resolve }))
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
    this.#waiters.add(wake)
    return () => void this.#waiters.delete(wake)
  }

  /** Tells waiting readers to look again. */
  wake(): void {
    for (const wake of this.#waiters) wake()
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
      const isChanged = this.#isEpochRecorded || !this.#wasClosedInOrder
      const needsSync = this.config.durability !== 'memory'
      if (isOrderly && isChanged) await this.#push(undefined, undefined, needsSync, this.#leave)
      await this.#committer.settled()
    } finally {
      await this.#watermark.close()
      await Promise.all(this.log.segments.map((segment) => segment.close()))
    }
  }

  get #active(): Segment {
    const active = this.log.segments.at(-1)
    invariant(active !== undefined, 'a partition has no segment')
    return active
  }

  /** When a crash took the time of the last append, that is the latest it can have been. */
  #assumeAppendedNow(segment: Segment): void {
    if (segment.sizeBytes === 0 || segment.firstAppendMs >= 0) return
    segment.firstAppendMs = this.#time.latestLostMs()
    segment.lastAppendMs = segment.firstAppendMs
  }

  #assertWritable(): void {
    if (this.#isClosing) throw closed(this.log)
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
    if (this.#isClosing && task !== this.#leave) return Promise.reject(closed(this.log))
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

  async write(bytes: Uint8Array, baseOffset: number, isSyncNext: boolean): Promise<void> {
    if (!this.#isEpochRecorded) await this.#recordEpoch()
    if (this.#isRollPending || this.#isRollDue(bytes.length)) await this.#roll(baseOffset)
    const active = this.#active
    try {
      const hint = isSyncNext ? 'beforeSync' : undefined
      await this.#disk.write(active.file, bytes, active.sizeBytes, hint)
    } catch (error) {
      // Failed meanwhile, the disk takes no cut back: part of the group may stay.
      this.#disk.assertUsable()
      // Without a file for it nothing was written.
      if (error instanceof UnavailableError && error.code === 'UNAVAILABLE') throw error
      // A full disk took part of the group: without it the log is as before.
      await this.#cutBack(active).catch((cause: unknown) => {
        throw this.#disk.fail('cut back', cause)
      })
      throw error
    }
  }

  /** Synced, for what was refused must not come back when the power goes. */
  async #cutBack({ file, sizeBytes }: Segment): Promise<void> {
    await this.#disk.attempt('cut back', () => file.truncate(sizeBytes))
    await this.#disk.sync(file)
  }

  written(appends: readonly PendingAppend[]): void {
    const active = this.#active
    const nowMs = this.#time.stampMs()
    if (active.firstAppendMs < 0) active.firstAppendMs = nowMs
    active.lastAppendMs = Math.max(active.lastAppendMs, nowMs)
    for (const { header, baseOffset } of appends) {
      if (header !== undefined) this.log.add(active, baseOffset, header)
    }
    this.log.producers.keep()
    if (this.config.durability !== 'fsync') this.#show(this.log.endOffset)
  }

  async sync(): Promise<void> {
    const active = this.#active
    const { endOffset, sizeBytes } = active
    await this.#disk.sync(active.file)
    this.#noteSynced(endOffset, sizeBytes)
  }

  idle(): void {
    if (this.#isClosing || this.#lazySync !== undefined) return
    if (this.config.durability === 'memory' || this.#syncedOffset === this.log.endOffset) return
    if (this.#disk.failure !== undefined) return
    const flush = (): void => {
      this.#lazySync = undefined
      this.flush().catch(() => {
        // The disk failed, and everybody who waits is told so.
      })
    }
    this.#lazySync = this.#clock.schedule(LAZY_SYNC_MS, flush, 'background')
  }

  #noteSynced(endOffset: number, position: number): void {
    this.#syncedOffset = endOffset
    this.#syncedPosition = position
    if (this.config.durability === 'fsync') this.#show(endOffset)
    else this.#advanceWatermark()
    while (this.#syncWaiters.length > 0) {
      const ready = this.#syncWaiters.findIndex(({ offset }) => offset <= endOffset)
      if (ready < 0) break
      this.#syncWaiters.splice(ready, 1)[0]?.resolve()
    }
  }

  /** Lets readers see everything below `offset`. */
  #show(offset: number): void {
    this.log.visibleOffset = offset
    this.#advanceWatermark()
    this.wake()
  }

  #advanceWatermark(): void {
    this.#watermark.advance({
      segment: this.#active.baseOffset,
      position: this.#syncedPosition,
      visibleOffset: this.log.visibleOffset,
    })
  }

  async #recordEpoch(): Promise<void> {
    const epochs = this.log.epochs.begin(this.leaderEpoch, this.log.endOffset)
    await replaceFile(this.#disk, `${this.log.directory}/${LEADER_EPOCH_FILE}`, epochs.encode())
    this.log.epochs = epochs
    this.#isEpochRecorded = true
  }

  #isRollDue(bytes: number): boolean {
    const active = this.#active
    if (active.sizeBytes === 0) return false
    if (active.sizeBytes + bytes > this.config.segmentBytes) return true
    return this.#time.nowMs() - active.firstAppendMs >= this.config.segmentMs
  }

  /** Seals the active segment and goes on in a new one, which takes records once its entry is durable. */
  async #roll(baseOffset: number): Promise<void> {
    const sealed = this.#active
    await this.sync()
    await this.#writeCheckpoint(this.log.startOffset, true)
    // From here on its file may be there: whatever comes next belongs into it.
    this.#isRollPending = true
    const next = await createSegment(this.#disk, this.log.directory, baseOffset)
    this.#isRollPending = false
    sealed.seal()
    this.log.segments.push(next)
    this.#syncedPosition = 0
    await writeIndexFiles(this.#disk, sealed, 'sealed')
    sealed.thinIndexes()
  }

  async #expire(): Promise<void> {
    const limits = {
      retentionMs: this.config.retentionMs,
      retentionBytes: this.config.retentionBytes,
      nowMs: this.#time.nowMs(),
      limitOffset: this.log.lastStableOffset,
    }
    // Before the roll, which needs room: on a full disk only this makes some.
    await this.#deleteOldest(countExpired(this.log.segments, limits))
    const active = this.#active
    if (active.sizeBytes === 0 || !isTooOld(active, limits)) return
    await this.#roll(this.log.endOffset)
    await this.#deleteOldest(countExpired(this.log.segments, limits))
  }

  #deleteUnreachable(): Promise<void> {
    const { segments, startOffset } = this.log
    return this.#deleteOldest(segments.filter(({ endOffset }) => endOffset <= startOffset).length)
  }

  /** The last segment always stays: its name is where the log goes on. */
  async #deleteOldest(count: number): Promise<void> {
    const deleted = this.log.segments.slice(0, Math.min(count, this.log.segments.length - 1))
    this.log.segments.splice(0, deleted.length)
    const first = this.log.segments[0]
    this.log.startOffset = Math.max(this.log.startOffset, first?.baseOffset ?? 0)
    this.log.transactions.trim(this.log.startOffset)
    this.#undeleted.push(...deleted.map(({ baseOffset }) => baseOffset))
    await Promise.all(deleted.map((segment) => segment.close()))
    if (this.#undeleted.length === 0) return
    await deleteSegments(this.#disk, this.log.directory, this.#undeleted)
    this.#undeleted = []
  }

  readonly #leave = async (): Promise<void> => {
    await writeIndexFiles(this.#disk, this.#active, 'growing')
    if (!this.#isEpochRecorded) return
    try {
      await this.#writeCheckpoint(this.log.startOffset, true)
    } catch (error) {
      // Without room for it the next opening takes the last append to be as late as it can be.
      if (!(error instanceof UnavailableError)) throw error
    }
  }

  #writeCheckpoint(startOffset: number, isActiveComplete: boolean): Promise<void> {
    const segments = isActiveComplete ? this.log.segments : this.log.segments.slice(0, -1)
    return writePartitionCheckpoint(this.#disk, this.log.directory, {
      startOffset,
      segments: segments.map(({ baseOffset, endOffset, firstAppendMs, lastAppendMs }) => ({
        baseOffset,
        endOffset,
        firstAppendMs,
        lastAppendMs,
      })),
    })
  }
}

function closed(place: TopicPartition): ClosedError {
  return new ClosedError(
    'CLOSED',
    `Partition ${place.partition} of topic ${place.topic} takes no more records: the log was closed or the topic deleted.`,
    { facts: { topic: place.topic, partition: place.partition } },
  )
}
