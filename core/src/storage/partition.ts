import { encodeControlBatch } from '../batch/control.ts'
import { crcMatches, findHeaderFault, readHeader, stampBatch } from '../batch/header.ts'
import type { ControlBatch } from '../batch/control.ts'
import type { BatchHeader } from '../batch/header.ts'
import { ClosedError, CorruptDataError, RejectedError } from '../errors.ts'
import type { Clock, Timer } from '../io/index.ts'
import type { AppendResult, Durability, TopicConfig } from '../log.ts'
import type { TopicPartition } from '../record.ts'
import { Committer } from './committer.ts'
import type { CommitTarget, PendingAppend } from './committer.ts'
import { replaceFile } from './checkpoint.ts'
import type { Disk } from './disk.ts'
import { LEADER_EPOCH_FILE } from './leader-epochs.ts'
import type { PartitionLog } from './partition-log.ts'
import { Segment, segmentFileName } from './segment.ts'
import type { WatermarkFile } from './watermark.ts'

/** An idle partition syncs what no acknowledgement has asked for yet, after this long. */
const LAZY_SYNC_MS = 1000

/** What a partition is opened with. */
export interface PartitionOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: PartitionLog
  readonly watermark: WatermarkFile
  readonly config: TopicConfig
  /** The epoch of this opening of the data directory. */
  readonly leaderEpoch: number
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
  readonly #watermark: WatermarkFile
  readonly #admit: PartitionOptions['admit']
  readonly #committer: Committer
  readonly #waiters = new Set<() => void>()
  readonly #syncWaiters: { offset: number; resolve: () => void }[] = []
  #nextOffset: number
  #syncedOffset: number
  #syncedPosition: number
  #isEpochRecorded = false
  #lazySync: Timer | undefined
  #isClosing = false

  constructor(options: PartitionOptions) {
    this.log = options.log
    this.leaderEpoch = options.leaderEpoch
    this.config = options.config
    this.#disk = options.disk
    this.#clock = options.clock
    this.#watermark = options.watermark
    this.#admit = options.admit
    this.#committer = new Committer(this)
    this.#nextOffset = this.log.endOffset
    this.#syncedOffset = this.log.endOffset
    this.#syncedPosition = this.#active.sizeBytes
    for (const segment of this.log.segments) this.#assumeAppendedNow(segment)
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
  append(batch: Uint8Array, level: Durability = this.config.durability): Promise<AppendResult> {
    let header: BatchHeader
    try {
      this.#assertWritable()
      header = this.#checked(batch)
      this.#admit?.(header, this)
    } catch (error) {
      return Promise.reject(error)
    }
    const needsSync = level === 'fsync' && !header.isTransactional
    return this.#push(batch, header, needsSync)
  }

  /** Appends a transaction's end marker; resolves when it is written, not when it is durable. */
  appendMarker(marker: ControlBatch): Promise<AppendResult> {
    const bytes = encodeControlBatch(marker)
    return this.#push(bytes, readHeader(bytes, 0), false)
  }

  /** Makes everything appended so far durable. */
  async flush(): Promise<void> {
    await this.#push(undefined, undefined, true)
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

  /** Resolves when whatever is durable by now can be seen by another process. */
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

  /** Syncs, writes the index files and closes everything. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#lazySync?.cancel()
    try {
      if (this.config.durability !== 'memory' && this.#disk.failure === undefined) {
        await this.flush()
      }
      await this.#committer.settled()
    } finally {
      await this.#watermark.close()
      await Promise.all(this.log.segments.map((segment) => segment.close()))
    }
  }

  get #active(): Segment {
    const active = this.log.segments.at(-1)
    if (active === undefined) throw new Error('a partition without a segment')
    return active
  }

  /** When a crash took the time of the last append, the latest it can have been is now. */
  #assumeAppendedNow(segment: Segment): void {
    if (segment.sizeBytes === 0 || segment.firstAppendMs >= 0) return
    segment.firstAppendMs = this.#clock.nowMs()
    segment.lastAppendMs = segment.firstAppendMs
  }

  #assertWritable(): void {
    if (this.#isClosing) throw closed(this.log)
    this.#disk.assertUsable()
    const damage = this.log.damage
    if (damage === undefined) return
    throw new CorruptDataError(
      'CORRUPT_DATA',
      `Partition ${damage.partition} of topic ${damage.topic} takes no records: ${damage.file} is damaged at byte ` +
        `${damage.position} (${damage.reason}). What lies before can be read; restore the file or recreate the topic.`,
      { facts: { ...damage } },
    )
  }

  #checked(batch: Uint8Array): BatchHeader {
    const fault = findHeaderFault(batch, 0)
    if (fault !== undefined) throw invalidBatch(fault)
    const header = readHeader(batch, 0)
    if (header.sizeBytes > this.config.maxMessageBytes) throw this.#tooLarge(header.sizeBytes)
    if (header.sizeBytes !== batch.length) throw invalidBatch('it is not exactly one batch')
    if (header.isControl) throw invalidBatch('only the log writes control batches')
    if (header.recordCount === 0 || header.recordCount !== header.lastOffsetDelta + 1) {
      throw invalidBatch('its offsets have gaps')
    }
    if (!crcMatches(batch, 0, batch.length)) throw invalidBatch('its checksum does not match')
    return header
  }

  #tooLarge(sizeBytes: number): RejectedError {
    return new RejectedError(
      'RECORD_TOO_LARGE',
      `A batch of ${sizeBytes} bytes is larger than topic ${this.log.topic} accepts (maxMessageBytes is ` +
        `${this.config.maxMessageBytes}). Nothing was written; send smaller batches or raise maxMessageBytes.`,
      { facts: { topic: this.log.topic, sizeBytes, maxMessageBytes: this.config.maxMessageBytes } },
    )
  }

  #push(
    bytes: Uint8Array | undefined,
    header: BatchHeader | undefined,
    needsSync: boolean,
  ): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      this.#committer.push({
        bytes,
        header,
        needsSync,
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

  async write(bytes: Uint8Array, baseOffset: number): Promise<void> {
    if (!this.#isEpochRecorded) await this.#recordEpoch()
    if (this.#isRollDue(bytes.length)) await this.#roll(baseOffset)
    const active = this.#active
    try {
      await this.#disk.write(active.file, bytes, active.sizeBytes)
    } catch (error) {
      if (this.#disk.failure !== undefined) throw error
      // A full disk took part of the group: without it the log is as before.
      await this.#disk
        .attempt('cut back', () => active.file.truncate(active.sizeBytes))
        .catch((cause: unknown) => {
          throw this.#disk.fail('cut back', cause)
        })
      throw error
    }
  }

  written(appends: readonly PendingAppend[]): void {
    const active = this.#active
    const nowMs = this.#clock.nowMs()
    if (active.firstAppendMs < 0) active.firstAppendMs = nowMs
    active.lastAppendMs = nowMs
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
    this.#lazySync = this.#clock.schedule(LAZY_SYNC_MS, () => {
      this.#lazySync = undefined
      this.flush().catch(() => {
        // The disk failed, and everybody who waits is told so.
      })
    })
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
    return this.#clock.nowMs() - active.firstAppendMs >= this.config.segmentMs
  }

  /** Seals the active segment and goes on in a new one, which takes records once its entry is durable. */
  async #roll(baseOffset: number): Promise<void> {
    const sealed = this.#active
    await this.sync()
    const path = `${this.log.directory}/${segmentFileName(baseOffset, '.log')}`
    const file = await this.#disk.attempt(`create ${path}`, () =>
      this.#disk.fileSystem.open(path, 'create'),
    )
    await this.#disk.syncDirectory(this.log.directory)
    sealed.seal()
    this.log.segments.push(new Segment(baseOffset, path, file))
    this.#syncedPosition = 0
  }
}

function closed(place: TopicPartition): ClosedError {
  return new ClosedError(
    'CLOSED',
    `Partition ${place.partition} of topic ${place.topic} takes no more records: the log was closed or the topic deleted.`,
    { facts: { topic: place.topic, partition: place.partition } },
  )
}

function invalidBatch(fault: string): RejectedError {
  return new RejectedError(
    'RECORD_INVALID',
    `The record batch was refused: ${fault}. Nothing was written.`,
    { facts: { fault } },
  )
}
