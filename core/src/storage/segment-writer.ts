import { invariant, UnavailableError } from '../errors.ts'
import type { TopicConfig } from '../log.ts'
import { replaceFile } from './checkpoint.ts'
import type { Disk } from './disk.ts'
import { LEADER_EPOCH_FILE } from './leader-epochs.ts'
import type { LogClock } from './log-clock.ts'
import { checkpointPartition } from './partition-checkpoint.ts'
import type { PartitionLog } from './partition-log.ts'
import type { Segment } from './segment.ts'
import { createSegment, writeIndexFiles } from './segment-files.ts'

/** What a {@link SegmentWriter} works on. */
export interface SegmentWriterOptions {
  readonly disk: Disk
  /** The log's own time, which appends age by. */
  readonly time: LogClock
  readonly log: PartitionLog
  /** The epoch of this opening of the data directory. */
  readonly leaderEpoch: number
}

/** The last segment of a partition: written at its end, synced, and followed by the next one. */
export class SegmentWriter {
  /** Everything before it in the last segment is on the disk. */
  syncedPosition: number
  /** The epoch of this opening is on record, so something was written in it. */
  isEpochRecorded = false
  readonly #disk: Disk
  readonly #time: LogClock
  readonly #log: PartitionLog
  readonly #leaderEpoch: number
  readonly #onSynced: (endOffset: number) => void
  #isRollPending = false

  /** @param onSynced told whenever everything below an offset has become durable. */
  constructor(options: SegmentWriterOptions, onSynced: (endOffset: number) => void) {
    this.#disk = options.disk
    this.#time = options.time
    this.#log = options.log
    this.#leaderEpoch = options.leaderEpoch
    this.#onSynced = onSynced
    this.syncedPosition = this.active.sizeBytes
  }

  get active(): Segment {
    const active = this.#log.segments.at(-1)
    invariant(active !== undefined, 'a partition has no segment')
    return active
  }

  /** Puts bytes behind the log's end; throws after leaving the file as it was. */
  async write(
    bytes: Uint8Array,
    baseOffset: number,
    isSyncNext: boolean,
    config: TopicConfig,
  ): Promise<void> {
    if (!this.isEpochRecorded) await this.#recordEpoch()
    if (this.#isRollPending || this.#isRollDue(bytes.length, config)) await this.roll(baseOffset)
    const { active } = this
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

  /** Makes everything written durable. */
  async sync(): Promise<void> {
    const { active } = this
    const { endOffset, sizeBytes } = active
    await this.#disk.sync(active.file)
    this.syncedPosition = sizeBytes
    this.#onSynced(endOffset)
  }

  /** Seals the last segment and goes on in a new one, which takes records once its entry is durable. */
  async roll(baseOffset: number): Promise<void> {
    const sealed = this.active
    await this.sync()
    await checkpointPartition(this.#disk, this.#log, this.#log.segments)
    // From here on its file may be there: whatever comes next belongs into it.
    this.#isRollPending = true
    const next = await createSegment(this.#disk, this.#log.directory, baseOffset)
    this.#isRollPending = false
    sealed.seal()
    this.#log.segments.push(next)
    this.syncedPosition = 0
    await writeIndexFiles(this.#disk, sealed, 'sealed')
    sealed.thinIndexes()
  }

  #isRollDue(bytes: number, config: TopicConfig): boolean {
    const { active } = this
    if (active.sizeBytes === 0) return false
    if (active.sizeBytes + bytes > config.segmentBytes) return true
    return this.#time.nowMs() - active.firstAppendMs >= config.segmentMs
  }

  async #recordEpoch(): Promise<void> {
    const epochs = this.#log.epochs.begin(this.#leaderEpoch, this.#log.endOffset)
    await replaceFile(this.#disk, `${this.#log.directory}/${LEADER_EPOCH_FILE}`, epochs.encode())
    this.#log.epochs = epochs
    this.isEpochRecorded = true
  }

  /** Synced, for what was refused must not come back when the power goes. */
  async #cutBack({ file, sizeBytes }: Segment): Promise<void> {
    await this.#disk.attempt('cut back', () => file.truncate(sizeBytes))
    await this.#disk.sync(file)
  }
}
