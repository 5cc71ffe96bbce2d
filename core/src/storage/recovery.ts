import type { File } from '../io/index.ts'
import type { Durability } from '../log.ts'
import type { TransactionPartition } from '../transactions/journal-state.ts'
import { PRODUCER_EXPIRATION_MS } from '../transactions/producer-state.ts'
import { damagedFile, readSmallFile } from './checkpoint.ts'
import type { Disk } from './disk.ts'
import { UNSYNCED_BYTES_MAX } from './committer.ts'
import { loadBatches } from './load-batches.ts'
import { findLaterBatch } from './later-batch.ts'
import { LEADER_EPOCH_FILE, LeaderEpochs } from './leader-epochs.ts'
import { PartitionLog } from './partition-log.ts'
import { readPartitionCheckpoint } from './partition-checkpoint.ts'
import type { PartitionCheckpoint } from './partition-checkpoint.ts'
import type { ScanEnd } from './scan.ts'
import { Segment, segmentBaseOffset, segmentFileName } from './segment.ts'
import { finishDeletions, hasIndexFiles, isDeleted, writeIndexFiles } from './segment-files.ts'
import { readFully, sizeOf } from './transfer.ts'
import type { Watermark } from './watermark.ts'

/** A partition that may have been left by a crash. */
export interface RecoveryRequest extends TransactionPartition {
  readonly disk: Disk
  readonly directory: string
  readonly durability: Durability
  readonly watermark: Watermark | undefined
  /** By the log's own time. */
  readonly nowMs: number
  /** The log was closed in order: every entry of the directory is durable. */
  readonly isClosedInOrder: boolean
}

const CHUNK_BYTES = 1024 * 1024

/**
 * Brings a partition back after whatever happened to it. The first batch that cannot be right is either
 * corruption (it was synced once: nothing is changed, the log ends before it and is read-only), or the
 * torn tail of a write that nobody was told of (copied aside, then cut off). A crash in here is
 * harmless: the next recovery finds the same.
 */
export async function recoverPartition(request: RecoveryRequest): Promise<PartitionLog> {
  const recovery = new Recovery(request, false)
  const log = await closedOnError(recovery)
  if (log.damage === undefined || !recovery.sawFaultUnchecked) return log
  // Only headers were read before the fault, and one of them may have led astray: look at every byte.
  await recovery.close()
  return closedOnError(new Recovery(request, true))
}

async function closedOnError(recovery: Recovery): Promise<PartitionLog> {
  try {
    return await recovery.run()
  } catch (error) {
    await recovery.close()
    throw error
  }
}

class Recovery {
  /** The fault was met where CRCs were not checked. */
  sawFaultUnchecked = false
  readonly #request: RecoveryRequest
  readonly #checkEverything: boolean
  readonly #log: PartitionLog
  #checkpoint: PartitionCheckpoint = { startOffset: 0, segments: [] }

  constructor(request: RecoveryRequest, checkEverything: boolean) {
    this.#request = request
    this.#checkEverything = checkEverything
    this.#log = new PartitionLog(request, request.directory)
  }

  async run(): Promise<PartitionLog> {
    const { disk, directory } = this.#request
    const log = this.#log
    const path = `${directory}/${LEADER_EPOCH_FILE}`
    const epochs = await readSmallFile(disk.fileSystem, path)
    if (epochs !== undefined) log.epochs = LeaderEpochs.decode(epochs, path)
    let names = await disk.fileSystem.list(directory)
    if (names.some(isDeleted)) {
      await finishDeletions(disk, directory)
      names = await disk.fileSystem.list(directory)
    }
    // A file that is seen here may have been made just before a crash: its entry must be durable
    // before anything relies on it.
    if (!this.#request.isClosedInOrder) await disk.syncDirectory(directory)
    const bases = names.map(segmentBaseOffset).filter((base) => base !== undefined)
    const [first] = bases
    if (first === undefined) {
      throw damagedFile(
        `${directory}/${segmentFileName(0, '.log')}`,
        'no file with records is there',
      )
    }
    log.startOffset = first
    this.#checkpoint = await readPartitionCheckpoint(disk.fileSystem, directory)
    for (const base of bases) {
      await this.#openSegment(base, base === bases.at(-1))
      if (log.damage !== undefined) break
    }
    this.#checkNothingIsMissing(bases)
    this.#applyCheckpoint()
    log.visibleOffset = log.endOffset
    return log
  }

  /** Gives up what was opened. */
  async close(): Promise<void> {
    await Promise.all(this.#log.segments.map((segment) => segment.close()))
  }

  /** Adds what the batches cannot tell. */
  #applyCheckpoint(): void {
    const log = this.#log
    const { startOffset, segments } = this.#checkpoint
    log.startOffset = Math.min(Math.max(log.startOffset, startOffset), log.endOffset)
    log.transactions.trim(log.startOffset)
    for (const { baseOffset, endOffset, firstAppendMs, lastAppendMs } of segments) {
      const segment = log.segments.find((candidate) => candidate.baseOffset === baseOffset)
      if (segment?.endOffset !== endOffset) continue
      segment.firstAppendMs = firstAppendMs
      segment.lastAppendMs = lastAppendMs
    }
  }

  async #openSegment(baseOffset: number, isLast: boolean): Promise<void> {
    const { disk, directory } = this.#request
    const path = `${directory}/${segmentFileName(baseOffset, '.log')}`
    const file = await disk.fileSystem.open(path, 'write')
    const segment = new Segment(baseOffset, path, file)
    const expected = this.#log.endOffset
    if (baseOffset !== expected) {
      this.#damaged(segment, 0, `offsets ${expected} to ${baseOffset - 1} are missing before it`)
      return file.close()
    }
    this.#log.segments.push(segment)
    const fileBytes = await sizeOf(file)
    const trusted = this.#trustedBytes(segment, isLast, fileBytes)
    const isLongPast = !isLast && this.#isLongPast(baseOffset)
    const scan = (to: number, checkCrc: boolean): Promise<ScanEnd> =>
      loadBatches(this.#log, segment, { to, checkCrc, isLongPast })
    let end = await scan(trusted, false)
    if (end.fault === undefined) end = await scan(fileBytes, true)
    else this.sawFaultUnchecked = true
    await this.#judge(segment, end, isLast, fileBytes)
    if (!isLast) {
      segment.seal()
      if (this.#log.damage === undefined && !(await hasIndexFiles(disk, segment))) {
        await writeIndexFiles(disk, segment, 'sealed')
      }
      segment.thinIndexes()
    }
    if (isLast && this.#log.damage === undefined) await this.#rewrite(segment)
  }

  /** Bytes at the segment's start that were synced once: for them the headers are enough. */
  #trustedBytes(segment: Segment, isLast: boolean, fileBytes: number): number {
    if (this.#checkEverything) return 0
    return isLast ? Math.min(this.#syncedBytes(segment), fileBytes) : fileBytes
  }

  #syncedBytes(segment: Segment): number {
    const watermark = this.#request.watermark
    if (watermark === undefined || watermark.segment < segment.baseOffset) return 0
    return watermark.segment === segment.baseOffset ? watermark.position : Infinity
  }

  #isLongPast(baseOffset: number): boolean {
    const known = this.#checkpoint.segments.find((segment) => segment.baseOffset === baseOffset)
    if (known === undefined || known.lastAppendMs < 0) return false
    return this.#request.nowMs - known.lastAppendMs > PRODUCER_EXPIRATION_MS
  }

  async #judge(segment: Segment, end: ScanEnd, isLast: boolean, fileBytes: number): Promise<void> {
    const synced = this.#syncedBytes(segment)
    if (end.fault === undefined) {
      if (isLast && end.position < synced && synced !== Infinity) {
        this.#damaged(segment, end.position, `it ends here, but was synced up to byte ${synced}`)
      }
      return
    }
    if (!isLast || end.position < synced) return this.#damaged(segment, end.position, end.fault)
    if (this.#request.durability === 'fsync') {
      const later = await findLaterBatch(segment.file, {
        from: end.position + UNSYNCED_BYTES_MAX,
        to: fileBytes,
        faultPosition: end.position,
        endOffset: segment.endOffset,
        epochs: this.#log.epochs,
      })
      if (later !== undefined) {
        const fault = `${end.fault}, and a good batch follows at byte ${later.position}`
        return this.#damaged(segment, end.position, fault)
      }
    }
    await this.#cutTornTail(segment, fileBytes)
  }

  #damaged(segment: Segment, position: number, reason: string): void {
    const { topic, partition } = this.#request
    this.#log.damage = { topic, partition, file: segment.path, position, reason }
  }

  /** The newest segment was synced into once; without its file records are lost. */
  #checkNothingIsMissing(bases: readonly number[]): void {
    const { watermark, directory, topic, partition } = this.#request
    const last = bases.at(-1)
    if (this.#log.damage !== undefined || watermark === undefined) return
    if (last !== undefined && watermark.segment <= last) return
    // Nothing was ever synced into it, so nothing is missing.
    if (watermark.position === 0 && watermark.segment === this.#log.endOffset) return
    const file = `${directory}/${segmentFileName(watermark.segment, '.log')}`
    this.#log.damage = { topic, partition, file, position: 0, reason: 'the file is missing' }
  }

  /** Copies what nobody was told of aside, and only then cuts it off. */
  async #cutTornTail(segment: Segment, fileBytes: number): Promise<void> {
    const { disk, directory } = this.#request
    const names = new Set(await disk.fileSystem.list(directory))
    const name = segmentFileName(segment.baseOffset, '.log')
    let number = 1
    while (names.has(`${name}.torn-${number}`)) number++
    const path = `${directory}/${name}.torn-${number}`
    const copy = await disk.attempt(`create ${path}`, () => disk.fileSystem.open(path, 'create'))
    const from = segment.sizeBytes
    try {
      await forEachChunk(segment.file, from, fileBytes, (bytes, position) =>
        disk.write(copy, bytes, position - from),
      )
      await disk.sync(copy)
    } finally {
      await copy.close()
    }
    await disk.syncDirectory(directory)
    await disk.attempt('cut off a torn tail', () => segment.file.truncate(from))
    await disk.sync(segment.file)
  }

  /**
   * Writes everything above the watermark again: after a failed sync the page cache may hold clean
   * pages that the disk lacks, so what was read just now need not be there after the next power loss.
   */
  async #rewrite(segment: Segment): Promise<void> {
    const { disk } = this.#request
    const from = Math.min(this.#syncedBytes(segment), segment.sizeBytes)
    if (from === segment.sizeBytes) return
    await forEachChunk(segment.file, from, segment.sizeBytes, (bytes, position) =>
      disk.write(segment.file, bytes, position),
    )
    await disk.sync(segment.file)
  }
}

async function forEachChunk(
  file: File,
  from: number,
  to: number,
  visit: (bytes: Uint8Array, position: number) => Promise<void>,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - from))
  for (let position = from; position < to;) {
    const count = await readFully(file, buffer.subarray(0, to - position), position)
    if (count === 0) return
    await visit(buffer.subarray(0, count), position)
    position += count
  }
}
