import type { FileSystem } from '../io/index.ts'
import type { Durability } from '../log.ts'
import type { TransactionPartition } from '../transactions/journal-state.ts'
import { damagedFile, readSmallFile } from './checkpoint.ts'
import { UNSYNCED_BYTES_MAX } from './committer.ts'
import { findLaterBatch } from './later-batch.ts'
import { LEADER_EPOCH_FILE, LeaderEpochs } from './leader-epochs.ts'
import { loadBatches } from './load-batches.ts'
import { readPartitionCheckpoint } from './partition-checkpoint.ts'
import { metadataText, PARTITION_METADATA_FILE } from './partition-directory.ts'
import { PartitionLog } from './partition-log.ts'
import { Segment, segmentBaseOffset, segmentFileName } from './segment.ts'
import { errnoOf, sizeOf } from './transfer.ts'
import { readWatermark, WATERMARK_FILE } from './watermark.ts'
import type { Watermark } from './watermark.ts'

/** Bytes that are not what was written there. */
export interface LogFault {
  readonly file: string
  /** Byte in the file. */
  readonly position: number
  /** `torn-tail`: the end of a write that nobody was told of; the next opening for writing cuts it off. */
  readonly kind: 'corruption' | 'torn-tail'
  readonly reason: string
}

/** How much was read. */
export interface VerifyCounts {
  readonly segments: number
  /** Whole, good record batches. */
  readonly batches: number
  readonly bytes: number
}

/** A partition to verify. */
export interface VerifyRequest extends TransactionPartition {
  readonly directory: string
  readonly durability: Durability
}

/** Reads all files of a partition; changes nothing. */
export async function verifyPartition(
  fileSystem: FileSystem,
  request: VerifyRequest,
): Promise<VerifyCounts & { readonly faults: readonly LogFault[] }> {
  const verification = new PartitionVerification(fileSystem, request)
  await verification.run()
  return verification.result
}

class PartitionVerification {
  readonly result = { segments: 0, batches: 0, bytes: 0, faults: [] as LogFault[] }
  readonly #fileSystem: FileSystem
  readonly #request: VerifyRequest
  readonly #log: PartitionLog
  #watermark: Watermark | undefined

  constructor(fileSystem: FileSystem, request: VerifyRequest) {
    this.#fileSystem = fileSystem
    this.#request = request
    this.#log = new PartitionLog(request, request.directory)
  }

  async run(): Promise<void> {
    const { directory, topicId } = this.#request
    await this.#verifySmallFile(PARTITION_METADATA_FILE, (bytes, path) => {
      if (bytes.toString('latin1') !== metadataText(topicId)) {
        throw damagedFile(path, `it does not name topic id ${topicId}`)
      }
    })
    await readPartitionCheckpoint(this.#fileSystem, directory)
    await this.#verifySmallFile(LEADER_EPOCH_FILE, (bytes, path) => {
      this.#log.epochs = LeaderEpochs.decode(bytes, path)
    })
    this.#watermark = await this.#readWatermark()
    const names = await this.#fileSystem.list(directory)
    const bases = names.map(segmentBaseOffset).filter((base) => base !== undefined)
    for (const base of bases) {
      if (this.#log.segments.length === 0) this.#log.startOffset = base
      await this.#verifyUnlessDeleted(base, base === bases.at(-1))
    }
  }

  async #verifySmallFile(
    name: string,
    check: (bytes: Buffer, path: string) => void,
  ): Promise<void> {
    const path = `${this.#request.directory}/${name}`
    const bytes = await readSmallFile(this.#fileSystem, path)
    if (bytes !== undefined) check(bytes, path)
    else if (name === PARTITION_METADATA_FILE) throw damagedFile(path, 'it is missing')
  }

  async #readWatermark(): Promise<Watermark | undefined> {
    const path = `${this.#request.directory}/${WATERMARK_FILE}`
    if ((await this.#fileSystem.stat(path)) === undefined) return undefined
    const file = await this.#fileSystem.open(path, 'read')
    try {
      return await readWatermark(file)
    } finally {
      await file.close()
    }
  }

  /** The owner's retention may delete a segment just now. */
  async #verifyUnlessDeleted(baseOffset: number, isLast: boolean): Promise<void> {
    try {
      await this.#verifySegment(baseOffset, isLast)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }

  async #verifySegment(baseOffset: number, isLast: boolean): Promise<void> {
    const path = `${this.#request.directory}/${segmentFileName(baseOffset, '.log')}`
    const file = await this.#fileSystem.open(path, 'read')
    try {
      const segment = new Segment(baseOffset, path, file)
      const { endOffset } = this.#log
      if (baseOffset !== endOffset) {
        this.#fault(path, 0, `offsets ${endOffset} to ${baseOffset - 1} are missing before it`)
      }
      this.#log.segments.push(segment)
      const isWhole = await this.#verifyBatches(segment, isLast, await sizeOf(file))
      if (isWhole && !isLast) await this.#verifyIndexes(segment)
    } finally {
      await file.close()
    }
  }

  /** Reads batch after batch, also those behind a damaged one; true when there is none. */
  async #verifyBatches(segment: Segment, isLast: boolean, fileBytes: number): Promise<boolean> {
    this.result.segments++
    this.result.bytes += fileBytes
    for (let isWhole = true; ; isWhole = false) {
      const end = await loadBatches(this.#log, segment, { to: fileBytes, checkCrc: true })
      this.result.batches += end.batches
      if (end.fault === undefined) {
        if (isLast) this.#checkLength(segment)
        return isWhole
      }
      const later = await findLaterBatch(segment.file, {
        from: end.position + 1,
        to: fileBytes,
        faultPosition: end.position,
        endOffset: segment.endOffset,
        epochs: this.#log.epochs,
      })
      const isTorn = isLast && this.#isTorn(segment, end.position, later?.position)
      this.#fault(segment.path, end.position, end.fault, isTorn ? 'torn-tail' : 'corruption')
      if (later === undefined) return false
      segment.skipTo(later.position, later.baseOffset)
    }
  }

  /** Judges as recovery will. */
  #isTorn(segment: Segment, position: number, later: number | undefined): boolean {
    const { durability } = this.#request
    if (position < this.#syncedBytes(segment)) return false
    return later === undefined || durability !== 'fsync' || later < position + UNSYNCED_BYTES_MAX
  }

  #checkLength(segment: Segment): void {
    const synced = this.#syncedBytes(segment)
    if (segment.sizeBytes >= synced) return
    const where = Number.isFinite(synced) ? `up to byte ${synced}` : 'and a later file begun'
    this.#fault(segment.path, segment.sizeBytes, `it ends here, but was synced ${where}`)
  }

  #syncedBytes(segment: Segment): number {
    const watermark = this.#watermark
    if (watermark === undefined || watermark.segment < segment.baseOffset) return 0
    if (watermark.segment === segment.baseOffset) return watermark.position
    const isEmpty = watermark.position === 0 && watermark.segment === segment.endOffset
    return isEmpty ? 0 : Number.POSITIVE_INFINITY
  }

  /** The index files of a sealed segment, where there are any, say what its batches say. */
  async #verifyIndexes(segment: Segment): Promise<void> {
    segment.seal()
    const base = segment.path.slice(0, -'.log'.length)
    const expected = { '.index': segment.offsets.encode(), '.timeindex': segment.times.encode() }
    for (const [extension, right] of Object.entries(expected)) {
      const path = `${base}${extension}`
      const found = await readSmallFile(this.#fileSystem, path)
      if (found === undefined || found.equals(right)) continue
      const differs = found.findIndex((byte, index) => byte !== right[index])
      const position = differs < 0 ? Math.min(found.length, right.length) : differs
      this.#fault(path, position, 'it disagrees with the log (Millrace never reads it)')
    }
  }

  #fault(
    file: string,
    position: number,
    reason: string,
    kind: LogFault['kind'] = 'corruption',
  ): void {
    this.result.faults.push({ file, position, kind, reason })
  }
}
