import type { Log } from '@millrace/core'
import type { ChangelogRecord, DurableStore } from '../state/store.ts'
import { changelogLength, restoreStore } from './restore.ts'
import type { RestoreProgress } from './restore.ts'
import type { TransactionalWriter } from './transactional-writer.ts'

/** Records for each key that lives, and records in any case, at which a changelog is to be shortened. */
const RECORDS_PER_KEY = 3
const RECORDS_MIN = 10_000

// A round that repeats more than is new comes to its end, however many keys are added meanwhile.
const REPEATS_PER_CHANGE = 2
const REPEATS_MIN = 100

/** Records of a changelog that nobody needs any more, once an epoch is committed. */
export interface OutdatedChanges {
  readonly topic: string
  readonly partition: number
  readonly belowOffset: number
}

/**
 * The changelog of a store in one task. It holds a few records a key, however often keys change: each
 * epoch of a round also repeats some of the other entries, and when all were repeated, what lies before
 * the round is given up. States: growing → in a round → growing.
 */
export class Changelog {
  readonly #topic: string
  readonly #partition: number
  readonly #store: DurableStore
  readonly #recordsMin: number
  /** Since the last round began; those restored included. */
  #records = 0
  /** Where the round began, in it. */
  #roundOffset: number | undefined
  #outdated: OutdatedChanges | undefined

  constructor(topic: string, partition: number, store: DurableStore, recordsMin = RECORDS_MIN) {
    this.#topic = topic
    this.#partition = partition
    this.#store = store
    this.#recordsMin = recordsMin
  }

  /** What a restore is going to read, in offsets. */
  length(log: Log): Promise<number> {
    return changelogLength(log, this.#topic, this.#partition)
  }

  /** Reads the store back; resolves with the number of records. */
  async restore(log: Log, progress?: RestoreProgress): Promise<number> {
    this.#records = await restoreStore(log, this.#topic, this.#partition, this.#store, progress)
    return this.#records
  }

  /** Writes what changed since the last epoch, and in a round some of the rest. */
  write(writer: TransactionalWriter, nowMs: number): void {
    const changes = this.#store.takeChanges()
    this.#append(writer, changes, nowMs)
    if (this.#roundOffset === undefined) return
    const limit = REPEATS_MIN + REPEATS_PER_CHANGE * changes.length
    const repeats = this.#store.takeRepeats(limit)
    this.#append(writer, repeats, nowMs)
    if (repeats.length === limit) return
    const place = { topic: this.#topic, partition: this.#partition }
    this.#outdated = { ...place, belowOffset: this.#roundOffset }
    this.#roundOffset = undefined
  }

  /** What may be given up once the epoch that was last written is committed. */
  takeOutdated(): OutdatedChanges | undefined {
    const outdated = this.#outdated
    this.#outdated = undefined
    return outdated
  }

  /** Begins a round when the changelog has become long. Call between two epochs. */
  async beginRound(log: Log): Promise<void> {
    const worth = Math.max(this.#recordsMin, RECORDS_PER_KEY * this.#store.size)
    if (this.#roundOffset !== undefined || this.#records < worth) return
    this.#records = 0
    const place = { topic: this.#topic, partition: this.#partition }
    const end = await log.findOffset({ ...place, at: 'latest', isolation: 'read_uncommitted' })
    // All that is written from now on comes behind it.
    this.#roundOffset = end.offset
  }

  #append(writer: TransactionalWriter, records: readonly ChangelogRecord[], nowMs: number): void {
    for (const { key, value } of records) {
      writer.append(this.#topic, this.#partition, key, value, nowMs)
    }
    this.#records += records.length
  }
}
