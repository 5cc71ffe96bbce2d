import { BatchReader } from '../batch/batch-reader.ts'
import { BatchWriter } from '../batch/batch-writer.ts'
import { invariant } from '../errors.ts'
import type { Clock } from '../io/index.ts'
import type { Partition } from '../storage/partition.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { readBatches } from '../storage/read-batches.ts'
import { JournalState } from './journal-state.ts'
import type { JournalEntry } from './journal-state.ts'

/** Name of the internal topic that the journal's files stand under. */
export const JOURNAL_TOPIC = '__commit_journal'

const READ_BYTES = 4 * 1024 * 1024

/** The journal is compacted when it is this large, and this many times the last snapshot. */
const COMPACT_BYTES_MIN = 256 * 1024
const COMPACT_FACTOR = 4

/**
 * The commit journal: decisions, positions and producer identities, in a partition of its own. What
 * {@link Journal.write} resolved for is durable, and only then part of {@link Journal.state}.
 */
export class Journal {
  readonly state: JournalState
  readonly #partition: Partition
  readonly #clock: Clock
  readonly #writer = new BatchWriter()
  #writing = 0
  #snapshotBytes = 0
  #compacting: Promise<void> | undefined
  #allWritten: (() => void) | undefined

  constructor(partition: Partition, state: JournalState, clock: Clock) {
    this.#partition = partition
    this.state = state
    this.#clock = clock
  }

  /** Resolves when the entry is durable and applied; entries are applied in the order of the calls. */
  async write(entry: JournalEntry): Promise<void> {
    while (this.#compacting !== undefined) await this.#compacting
    this.#writing++
    try {
      await this.#append(entry)
    } finally {
      this.#writing--
      if (this.#writing === 0) this.#allWritten?.()
    }
    const worthBytes = Math.max(COMPACT_BYTES_MIN, this.#snapshotBytes * COMPACT_FACTOR)
    if (this.#partition.log.sizeBytes >= worthBytes) this.#compacting ??= this.#compact()
  }

  async #append(entry: JournalEntry): Promise<void> {
    this.#writer.append(null, JSON.stringify(entry), this.#clock.nowMs())
    // That markers are there is found out again after a crash, so no sync of its own for that.
    const level = entry.type === 'marked' ? 'os' : 'fsync'
    await this.#partition.append({ batch: this.#writer.finish() }, level)
    this.state.apply(entry)
  }

  /**
   * Resolves when other processes can see what is durable.
   *
   * @throws UnavailableError when there is no room to say so.
   */
  watermarkSettled(): Promise<void> {
    return this.#partition.watermarkSettled()
  }

  async close(): Promise<void> {
    while (this.#compacting !== undefined) await this.#compacting
    await this.#partition.close()
  }

  /**
   * Starts a new segment with a snapshot of everything and drops the older ones. A crash at any moment
   * leaves either the old entries or a snapshot that replaces them.
   */
  async #compact(): Promise<void> {
    try {
      if (this.#writing > 0) await new Promise<void>((resolve) => (this.#allWritten = resolve))
      this.#allWritten = undefined
      await this.#partition.roll()
      const startOffset = this.#partition.log.endOffset
      const bytesBefore = this.#partition.log.sizeBytes
      await this.#append({ type: 'snapshot', snapshot: this.state.snapshot() })
      this.#snapshotBytes = this.#partition.log.sizeBytes - bytesBefore
      // Whoever reads beside this process finds the entries gone only where it finds the snapshot.
      await this.watermarkSettled()
      await this.#partition.dropBelow(startOffset)
    } catch {
      // A full or failed disk: the entries are all still there, and their writers are told.
    } finally {
      this.#compacting = undefined
    }
  }
}

/** Applies the entries from `offset` on that are visible; resolves with where to go on. */
export async function replayJournal(
  log: PartitionLog,
  state: JournalState,
  offset: number,
): Promise<number> {
  let next = offset
  while (next < log.visibleOffset) {
    const { batches, nextOffset } = await readBatches(log, {
      offset: next,
      limitOffset: log.visibleOffset,
      maxBytes: READ_BYTES,
      leaveOutAborted: false,
    })
    const reader = new BatchReader(batches, { fromOffset: next })
    while (reader.next()) {
      const json = Buffer.from(reader.value ?? new Uint8Array(0)).toString()
      state.apply(JSON.parse(json) as JournalEntry)
    }
    invariant(nextOffset > next, `the journal cannot be read on from offset ${next}`)
    next = nextOffset
  }
  return next
}
