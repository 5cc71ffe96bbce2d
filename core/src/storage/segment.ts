import type { BatchHeader } from '../batch/header.ts'
import { ClosedError } from '../errors.ts'
import type { File } from '../io/index.ts'
import { OffsetIndex } from './offset-index.ts'
import { TimeIndex } from './time-index.ts'

/** Kafka's default: an index entry at most every 4 KiB of batches. */
const INDEX_INTERVAL_BYTES = 4096

/** Index entries kept in memory of a segment that is no longer written. */
const INDEX_ENTRIES_KEPT_MAX = 4096

/** One file of a partition, with what is known of the batches in it. */
export class Segment {
  readonly baseOffset: number
  /** The `.log` file's path. */
  readonly path: string
  readonly file: File
  /** Where the next batch goes; whatever lies behind is not part of the log. */
  sizeBytes = 0
  /** Offset of the next record. */
  endOffset: number
  maxTimestampMs = -1
  /** Clock time of the first and last append; −1 before the first. Never taken from records. */
  firstAppendMs = -1
  lastAppendMs = -1
  readonly offsets: OffsetIndex = new OffsetIndex()
  readonly times: TimeIndex = new TimeIndex()
  #offsetOfMaxTimestamp = 0
  #leases = 0
  #isClosing = false
  #bytesSinceEntry = Number.POSITIVE_INFINITY

  constructor(baseOffset: number, path: string, file: File) {
    this.baseOffset = baseOffset
    this.path = path
    this.file = file
    this.endOffset = baseOffset
  }

  /** Takes note of the batch that lies at the end of the segment. */
  add(baseOffset: number, header: BatchHeader): void {
    const lastOffset = baseOffset + header.lastOffsetDelta
    const relativeLast = lastOffset - this.baseOffset
    if (header.maxTimestampMs > this.maxTimestampMs) {
      this.maxTimestampMs = header.maxTimestampMs
      this.#offsetOfMaxTimestamp = relativeLast
    }
    if (this.#bytesSinceEntry >= INDEX_INTERVAL_BYTES) {
      this.offsets.add(baseOffset - this.baseOffset, relativeLast, this.sizeBytes)
      this.times.add(this.maxTimestampMs, this.#offsetOfMaxTimestamp)
      this.#bytesSinceEntry = 0
    }
    this.#bytesSinceEntry += header.sizeBytes
    this.sizeBytes += header.sizeBytes
    this.endOffset = lastOffset + 1
  }

  /** Goes on behind a damage: the next batch lies at `position` and starts at `offset`. */
  skipTo(position: number, offset: number): void {
    this.sizeBytes = position
    this.endOffset = offset
  }

  /** Completes the time index once nothing more is appended. */
  seal(): void {
    if (this.maxTimestampMs >= 0) this.times.add(this.maxTimestampMs, this.#offsetOfMaxTimestamp)
  }

  /** Lets go of most of a sealed segment's indexes; a read then passes over a few more batches. */
  thinIndexes(): void {
    this.offsets.thin(Math.ceil(this.offsets.count / INDEX_ENTRIES_KEPT_MAX))
    this.times.thin(Math.ceil(this.times.count / INDEX_ENTRIES_KEPT_MAX))
  }

  /**
   * Keeps the file open until {@link Segment.release}.
   *
   * @throws ClosedError CLOSED once it is being closed: its descriptor may by now be another file's.
   */
  lease(): void {
    if (this.#isClosing) throw closed(this.path)
    this.#leases++
  }

  async release(): Promise<void> {
    this.#leases--
    if (this.#leases === 0 && this.#isClosing) await this.file.close()
  }

  /** Closes the file once the last read is done. */
  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    if (this.#leases === 0) await this.file.close()
  }

  /** Position of a batch at or shortly before the one that holds `offset`. */
  positionNear(offset: number): number {
    return this.offsets.floor(offset - this.baseOffset)
  }
}

function closed(path: string): ClosedError {
  return new ClosedError(
    'CLOSED',
    `${path} can be read no more: the log was closed, or the topic or these records were deleted.`,
    { facts: { file: path } },
  )
}

/** `00000000000000000042.log`: Kafka's file name for the segment that starts at an offset. */
export function segmentFileName(baseOffset: number, extension: string): string {
  return `${baseOffset.toString().padStart(20, '0')}${extension}`
}

/** The base offset in a segment's file name; `undefined` for any other name. */
export function segmentBaseOffset(fileName: string): number | undefined {
  if (!/^\d{20}\.log$/.test(fileName)) return undefined
  const baseOffset = Number(fileName.slice(0, 20))
  return Number.isSafeInteger(baseOffset) ? baseOffset : undefined
}
