import type { File, FileSystem } from '../io/index.ts'
import { readSmallFile } from '../storage/checkpoint.ts'
import { LEADER_EPOCH_FILE, LeaderEpochs } from '../storage/leader-epochs.ts'
import type { ScanEnd } from '../storage/scan.ts'
import { loadBatches } from '../storage/load-batches.ts'
import type { Marker } from '../storage/load-batches.ts'
import { readPartitionCheckpoint } from '../storage/partition-checkpoint.ts'
import { PartitionLog } from '../storage/partition-log.ts'
import { Segment, segmentBaseOffset, segmentFileName } from '../storage/segment.ts'
import { errnoOf, sizeOf } from '../storage/transfer.ts'
import { readWatermark, WATERMARK_FILE } from '../storage/watermark.ts'
import type { Watermark } from '../storage/watermark.ts'
import { transactionKey } from '../transactions/journal-state.ts'
import type { Decision, TransactionPartition } from '../transactions/journal-state.ts'

const NONE: Watermark = { segment: 0, position: 0, visibleOffset: 0 }

/** A partition that another process may be writing; this one only follows it and changes no byte. */
export class ReadOnlyPartition {
  readonly log: PartitionLog
  readonly #fileSystem: FileSystem
  readonly #waiters = new Set<() => void>()
  #watermark: File | undefined
  #horizon = 0
  #loadedOffset = 0
  #markers: Marker[] = []

  constructor(fileSystem: FileSystem, place: TransactionPartition, directory: string) {
    this.#fileSystem = fileSystem
    this.log = new PartitionLog(place, directory)
  }

  /** Calls back when a refresh has found more, until the returned function is called. */
  onChange(wake: () => void): () => void {
    this.#waiters.add(wake)
    return () => void this.#waiters.delete(wake)
  }

  get isWatched(): boolean {
    return this.#waiters.size > 0
  }

  wake(): void {
    for (const wake of this.#waiters) wake()
  }

  /** Step 1: notes what is visible before the journal is read. */
  async noteHorizon(isCold: boolean): Promise<void> {
    const visibleOffset = (await this.#readWatermark())?.visibleOffset ?? 0
    this.#horizon = isCold ? Number.POSITIVE_INFINITY : visibleOffset
  }

  /**
   * Step 2: reads what the owner has made visible since; readers do not see it yet.
   *
   * @param isCold nobody has written since the machine started: all that is whole counts, as in recovery.
   */
  async load(isCold: boolean): Promise<void> {
    const { log } = this
    const written = await this.#readWatermark()
    const watermark = isCold ? { ...(written ?? NONE), visibleOffset: Infinity } : written
    if (watermark === undefined || log.damage !== undefined) return
    await this.#readEpochs()
    const bases = await this.#listSegments()
    await this.#closeDeleted(bases)
    await this.#loadUpTo(watermark, bases)
    const { startOffset } = await readPartitionCheckpoint(this.#fileSystem, log.directory)
    this.#loadedOffset = Math.min(watermark.visibleOffset, log.endOffset)
    log.startOffset = Math.max(log.startOffset, Math.min(startOffset, this.#loadedOffset))
  }

  /** The transactions whose markers were there before the journal was read, and so were decided then. */
  get decided(): string[] {
    return this.#markers.filter(({ offset }) => offset < this.#horizon).map(transactionKey)
  }

  /**
   * Step 3, in one go for all partitions: shows what was loaded, as far as the journal read in between
   * decided it. A marker that came later decides nothing yet: elsewhere its transaction may not be
   * loaded as a whole.
   *
   * @param decided what the journal may have forgotten by then: those of all partitions.
   * @returns Whether readers see more than before.
   */
  publish(decisions: ReadonlyMap<string, Decision>, decided: ReadonlySet<string>): boolean {
    const { log } = this
    const { visibleOffset, lastStableOffset } = log
    for (const { producerId, producerEpoch } of log.transactions.list()) {
      const decision = decisions.get(transactionKey({ producerId, producerEpoch }))
      if (decision === undefined) continue
      log.transactions.decide(producerId, producerEpoch, decision.outcome, log.endOffset)
    }
    this.#markers = this.#markers.filter((marker) => {
      if (!decided.has(transactionKey(marker))) return true
      const { producerId, producerEpoch, outcome, offset } = marker
      log.transactions.decide(producerId, producerEpoch, outcome, offset)
      return false
    })
    log.visibleOffset = Math.max(visibleOffset, this.#loadedOffset)
    return log.visibleOffset > visibleOffset || log.lastStableOffset > lastStableOffset
  }

  async close(): Promise<void> {
    this.wake()
    await this.#watermark?.close()
    await Promise.all(this.log.segments.map((segment) => segment.close()))
  }

  async #readWatermark(): Promise<Watermark | undefined> {
    const path = `${this.log.directory}/${WATERMARK_FILE}`
    try {
      this.#watermark ??= await this.#fileSystem.open(path, 'read')
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
    return readWatermark(this.#watermark)
  }

  async #readEpochs(): Promise<void> {
    const path = `${this.log.directory}/${LEADER_EPOCH_FILE}`
    const bytes = await readSmallFile(this.#fileSystem, path)
    if (bytes !== undefined) this.log.epochs = LeaderEpochs.decode(bytes, path)
  }

  async #listSegments(): Promise<number[]> {
    const names = await this.#fileSystem.list(this.log.directory)
    return names.map(segmentBaseOffset).filter((base) => base !== undefined)
  }

  async #closeDeleted(bases: readonly number[]): Promise<void> {
    const { log } = this
    const first = bases[0] ?? 0
    const kept = log.segments.findIndex(({ baseOffset }) => baseOffset >= first)
    const deleted = log.segments.splice(0, kept < 0 ? log.segments.length : kept)
    await Promise.all(deleted.map((segment) => segment.close()))
    log.startOffset = Math.max(log.startOffset, first)
  }

  async #loadUpTo(watermark: Watermark, bases: readonly number[]): Promise<void> {
    const { log } = this
    const isDone = (): boolean => log.endOffset >= watermark.visibleOffset
    for (const base of bases) {
      const isNew = base > (log.segments.at(-1)?.baseOffset ?? -1)
      if (isNew && isDone() && log.segments.length > 0) return
      if (isNew) await this.#openSegment(base)
      if (log.damage !== undefined) return
      const segment = log.segments.find(({ baseOffset }) => baseOffset === base)
      if (segment === undefined || segment !== log.segments.at(-1)) continue
      const end = await this.#loadSegment(segment, watermark, isDone)
      const isSynced =
        base < watermark.segment ||
        (base === watermark.segment && end.position < watermark.position)
      // Behind what was synced a fault is a write under way, or what a crash left for recovery.
      if (end.fault !== undefined && !isSynced) return
      if (end.fault !== undefined) return this.#damaged(segment, end.position, end.fault)
    }
  }

  /** What was never synced, or by a machine that then lost power, is believed only as a whole. */
  async #loadSegment(
    segment: Segment,
    watermark: Watermark,
    isDone: () => boolean,
  ): Promise<ScanEnd> {
    const { log } = this
    const sizeBytes = await sizeOf(segment.file)
    const isCold = watermark.visibleOffset === Infinity
    const isLast = segment.baseOffset >= watermark.segment
    const trusted = isCold && isLast ? positionIn(segment, watermark) : sizeBytes
    const onMarker = (marker: Marker): void => void this.#markers.push(marker)
    const to = Math.min(trusted, sizeBytes)
    const end = await loadBatches(log, segment, { to, checkCrc: false, isDone, onMarker })
    if (end.fault !== undefined || to === sizeBytes) return end
    return loadBatches(log, segment, { to: sizeBytes, checkCrc: true, isDone, onMarker })
  }

  async #openSegment(baseOffset: number): Promise<void> {
    const path = `${this.log.directory}/${segmentFileName(baseOffset, '.log')}`
    const file = await this.#fileSystem.open(path, 'read')
    const segment = new Segment(baseOffset, path, file)
    const { endOffset, segments } = this.log
    if (segments.length > 0 && baseOffset !== endOffset) {
      this.#damaged(segment, 0, `offsets ${endOffset} to ${baseOffset - 1} are missing before it`)
      return file.close()
    }
    segments.push(segment)
  }

  #damaged(segment: Segment, position: number, reason: string): void {
    const { topic, partition } = this.log
    this.log.damage = { topic, partition, file: segment.path, position, reason }
  }
}

function positionIn(segment: Segment, watermark: Watermark): number {
  return segment.baseOffset === watermark.segment ? watermark.position : 0
}
