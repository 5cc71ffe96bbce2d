import type { BatchHeader } from '../batch/header.ts'
import { FailedError } from '../errors.ts'
import type { AppendResult } from '../log.ts'

/**
 * Most bytes of a partition that are written and not yet synced, unless one batch is larger. Recovery
 * relies on it: a good batch further behind a bad one proves that the bad one was once synced.
 */
export const UNSYNCED_BYTES_MAX = 1024 * 1024

const BUFFER_BYTES_MIN = 16 * 1024

/** A batch waiting to be written; without bytes it only waits for everything before it. */
export interface PendingAppend {
  readonly bytes: Uint8Array | undefined
  readonly header: BatchHeader | undefined
  readonly needsSync: boolean
  /** Other work on the files: it runs alone, between two groups. */
  readonly task: (() => Promise<void>) | undefined
  baseOffset: number
  isDuplicate: boolean
  resolve: (result: AppendResult) => void
  reject: (error: unknown) => void
}

/** The partition, as its committer needs it. */
export interface CommitTarget {
  readonly leaderEpoch: number
  /** The epoch that wrote a record already in the log. */
  epochAt(offset: number): number
  /** Written and not yet synced; 0 where it does not matter. */
  readonly unsyncedBytes: number
  /** Gives a batch its offset; false when it stands in the log already. Throws to refuse it. */
  place(append: PendingAppend): boolean
  /**
   * Puts the bytes of one group behind the log's end; throws after leaving the file as it was.
   *
   * @param isSyncNext whether {@link CommitTarget.sync} follows at once.
   */
  write(bytes: Uint8Array, baseOffset: number, isSyncNext: boolean): Promise<void>
  /** Takes note of the group that {@link CommitTarget.write} wrote. */
  written(appends: readonly PendingAppend[]): void
  /** Undoes every {@link CommitTarget.place} since the last group was written. */
  rollBack(): void
  /** Makes everything written durable. */
  sync(): Promise<void>
  /** The queue ran empty. */
  idle(): void
}

/**
 * Group commit: the one writer of a partition. States: idle → gathering → writing → (syncing) →
 * answering → gathering … A group is what came while the one before was being written.
 */
export class Committer {
  readonly #target: CommitTarget
  #queue: PendingAppend[] = []
  #head = 0
  #running: Promise<void> | undefined
  #buffer: Buffer = Buffer.alloc(0)

  // One group at a time, so these are reused.
  readonly #group: PendingAppend[] = []
  readonly #toWrite: PendingAppend[] = []
  #groupBytes = 0
  #needsSync = false
  #task: PendingAppend['task']

  constructor(target: CommitTarget) {
    this.#target = target
  }

  /** Queues an append; its `resolve` or `reject` is called once. */
  push(append: PendingAppend): void {
    this.#queue.push(append)
    this.#running ??= Promise.resolve().then(() => this.#run())
  }

  /** Resolves when nothing is queued or being written. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    while (this.#head < this.#queue.length) {
      this.#gather()
      try {
        await this.#commit()
        this.#answer()
      } catch (error) {
        this.#refuse(error)
      }
    }
    this.#running = undefined
    this.#target.idle()
  }

  /** Takes as much from the queue as may be written before the next sync. */
  #gather(): void {
    const room = UNSYNCED_BYTES_MAX - this.#target.unsyncedBytes
    this.#group.length = 0
    this.#toWrite.length = 0
    this.#groupBytes = 0
    this.#needsSync = false
    this.#task = undefined
    while (this.#head < this.#queue.length) {
      const append = this.#queue[this.#head]
      if (append === undefined || this.#task !== undefined) break
      if (append.task !== undefined && this.#group.length > 0) break
      const bytes = append.bytes?.length ?? 0
      const isFirst = this.#groupBytes === 0 && room === UNSYNCED_BYTES_MAX
      if (this.#groupBytes + bytes > room && !isFirst) {
        // What lies unsynced leaves no room: sync it before this batch.
        if (this.#group.length === 0) this.#needsSync = true
        break
      }
      this.#head++
      this.#take(append, bytes)
    }
    // A queue that never runs empty must not keep what was taken from it.
    if (this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
  }

  #take(append: PendingAppend, bytes: number): void {
    try {
      if (append.bytes !== undefined && this.#target.place(append)) {
        this.#toWrite.push(append)
        this.#groupBytes += bytes
      }
    } catch (error) {
      append.reject(error)
      return
    }
    this.#group.push(append)
    this.#task = append.task
    if (append.needsSync) this.#needsSync = true
  }

  async #commit(): Promise<void> {
    const first = this.#toWrite[0]
    if (first !== undefined) {
      try {
        await this.#target.write(this.#joined(first), first.baseOffset, this.#needsSync)
        this.#target.written(this.#toWrite)
      } catch (error) {
        this.#target.rollBack()
        this.#refuseWrites(error)
      }
    }
    if (this.#needsSync) await this.#target.sync()
    if (this.#task !== undefined) await this.#task()
  }

  /** The group's bytes in one piece; a single batch is not copied. */
  #joined(first: PendingAppend): Uint8Array {
    if (this.#toWrite.length === 1 && first.bytes !== undefined) return first.bytes
    if (this.#buffer.length < this.#groupBytes) {
      const doubled = Math.max(this.#buffer.length * 2, BUFFER_BYTES_MIN, this.#groupBytes)
      this.#buffer = Buffer.allocUnsafeSlow(doubled)
    }
    let position = 0
    for (const { bytes } of this.#toWrite) {
      if (bytes === undefined) continue
      this.#buffer.set(bytes, position)
      position += bytes.length
    }
    return this.#buffer.subarray(0, position)
  }

  #answer(): void {
    const leaderEpoch = this.#target.leaderEpoch
    for (const append of this.#group) {
      append.resolve({
        baseOffset: append.baseOffset,
        leaderEpoch: append.isDuplicate ? this.#target.epochAt(append.baseOffset) : leaderEpoch,
        duplicate: append.isDuplicate,
      })
    }
  }

  /** What only waits for a sync does not care that somebody else's batch found no room. */
  #refuseWrites(error: unknown): void {
    const waiting = this.#group.filter(({ bytes }) => bytes === undefined)
    if (error instanceof FailedError || waiting.length === 0) throw error
    for (const append of this.#group) if (append.bytes !== undefined) append.reject(error)
    this.#group.length = 0
    this.#group.push(...waiting)
  }

  #refuse(error: unknown): void {
    for (const append of this.#group) append.reject(error)
    if (!(error instanceof FailedError)) return
    // Nothing more is written, so nothing that waits ever will be.
    for (const append of this.#queue.slice(this.#head)) append.reject(error)
    this.#queue = []
    this.#head = 0
  }
}
