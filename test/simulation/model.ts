import type { FetchedPartition, TopicConfig, TopicDescription } from '@millrace/core'
import { BatchReader } from '../../core/src/batch/index.ts'
import { ModelPositions } from './model-positions.ts'
import {
  type Batches,
  learnCommitted,
  type ModelPartition,
  type ModelTopic,
  type ModelTransaction,
  type SentBatch,
} from './model-topic.ts'
import { promise } from './promise.ts'
import { isRecord, recordId } from './records.ts'

/** The log as arrays: everything that was asked of it, and what it must therefore still hold. */
export class Model implements Batches {
  readonly topics = new Map<string, ModelTopic>()
  readonly positions = new ModelPositions(this.topics)
  /** By record id. */
  readonly #batches: SentBatch[] = []
  /** Transactions of the process that runs now. */
  readonly #running = new Set<ModelTransaction>()

  batchOf(id: number | undefined): SentBatch | undefined {
    return id === undefined ? undefined : this.#batches[id]
  }

  get nextId(): number {
    return this.#batches.length
  }

  send(batch: SentBatch): void {
    for (let index = 0; index < batch.count; index += 1) this.#batches.push(batch)
    batch.partition.sent.push(batch)
    if (batch.transaction === undefined) return
    batch.transaction.batches.push(batch)
    this.#running.add(batch.transaction)
  }

  /**
   * Compares what a fetch gave with what must be there, and learns from it.
   *
   * @returns The batches that were seen.
   */
  read(
    partition: ModelPartition,
    from: number,
    isolation: 'read_uncommitted' | 'read_committed',
    fetched: FetchedPartition,
  ): ReadonlySet<SentBatch> {
    const isCommitted = isolation === 'read_committed'
    const batches = new Set<SentBatch>()
    const seen = new Set<number>()
    const reader = new BatchReader(fetched.batches, { checkCrc: true })
    let last = -1
    while (reader.next()) {
      const id = recordId(reader.value)
      const batch = this.#batches[id]
      const where = `${partition.name} offset ${reader.offset}`
      promise(batch?.partition === partition, () => `${where}: record ${id} was never sent there`)
      promise(
        isRecord(id, reader.value),
        () => `${where}: record ${id} has other bytes than were sent`,
      )
      promise(reader.offset > last, () => `${where}: came after offset ${last}`)
      promise(
        batch.state !== 'refused',
        () => `${where}: record ${id} was refused, yet it is there`,
      )
      promise(
        batch.state !== 'gone',
        () => `${where}: record ${id} had gone in a crash and came back`,
      )
      promise(
        reader.timestampMs === batch.timestampMs,
        () => `${where}: record ${id} has another time`,
      )
      last = reader.offset
      seen.add(id)
      batches.add(batch)
      partition.place(batch, reader.offset - (id - batch.firstId), reader.leaderEpoch)
      if (isCommitted) this.#seenCommitted(batch, where)
    }
    for (
      let offset = Math.max(from, fetched.startOffset);
      offset < fetched.nextOffset;
      offset += 1
    ) {
      const id = partition.idAt[offset]
      if (id !== undefined && !seen.has(id))
        this.#missing(id, isCommitted, `${partition.name} offset ${offset}`)
    }
    return batches
  }

  #seenCommitted({ transaction }: SentBatch, where: string): void {
    if (transaction === undefined) return
    promise(
      transaction.state === 'committed' || transaction.state === 'committing',
      () =>
        `${where}: a reader of committed records sees transaction ${transaction.name}, which is ${transaction.state}`,
    )
    learnCommitted(transaction)
  }

  #missing(id: number, isCommitted: boolean, where: string): void {
    const transaction = this.#batches[id]?.transaction
    promise(isCommitted && transaction !== undefined, () => `${where}: record ${id} is lost`)
    promise(
      transaction.state !== 'committed',
      () =>
        `${where}: record ${id} of the committed transaction ${transaction.name} is not to be seen`,
    )
    // Below the last stable offset everything is decided: what cannot be seen was aborted.
    transaction.state = 'aborted'
  }

  /** A commit was answered. */
  commit(transaction: ModelTransaction): void {
    learnCommitted(transaction)
    for (const batch of transaction.batches) {
      batch.partition.place(batch, batch.baseOffset, batch.leaderEpoch)
      batch.partition.keepBelow(batch.baseOffset + batch.count)
    }
  }

  /** Everything of a partition has been read after a crash: what was not there has gone for good. */
  recovered(partition: ModelPartition): void {
    partition.keepBelow(partition.idAt.length)
    for (const batch of partition.sent) {
      if (batch.state !== 'sent') continue
      const isTrimmed = batch.baseOffset >= 0 && batch.baseOffset < partition.startOffset
      batch.state = isTrimmed ? 'durable' : 'gone'
      promise(
        isTrimmed || batch.transaction?.state !== 'committed',
        () => `${partition.name}: record ${batch.firstId} of a committed transaction is lost`,
      )
    }
  }

  lose(how: 'process' | 'power'): void {
    for (const { partitions } of this.topics.values()) for (const one of partitions) one.lose(how)
  }

  /**
   * The process is gone: open transactions can only end by being aborted.
   *
   * @returns How many commits it has left unanswered.
   */
  died(): number {
    let unanswered = 0
    for (const transaction of this.#running) {
      if (transaction.state === 'open') transaction.state = 'aborted'
      else if (transaction.state === 'committing') unanswered += 1
    }
    this.#running.clear()
    return unanswered
  }

  /** Compares the topics after a crash with those that must be there, and learns from them. */
  readTopics(found: readonly TopicDescription[]): void {
    const byName = new Map(
      found.filter(({ internal }) => !internal).map((topic) => [topic.name, topic]),
    )
    for (const topic of this.topics.values()) {
      const there = byName.get(topic.name)
      byName.delete(topic.name)
      if (there === undefined) {
        promise(topic.state !== 'there', () => `topic ${topic.name} is lost`)
        topic.state = 'gone'
        continue
      }
      promise(topic.state !== 'gone', () => `topic ${topic.name} came back`)
      promise(
        topic.id === '' || topic.id === there.topicId,
        () => `topic ${topic.name} has another id`,
      )
      const count = there.partitions.length
      promise(
        count === topic.partitions.length || count === topic.partitionsAsked,
        () => `topic ${topic.name} has ${count} partitions instead of ${topic.partitions.length}`,
      )
      topic.id = there.topicId
      topic.state = 'there'
      topic.partitionsAsked = 0
      topic.grow(count)
      for (const [name, value] of Object.entries(topic.config)) {
        const stored = there.config[name as keyof TopicConfig]
        promise(stored === value, () => `topic ${topic.name}: ${name} is ${stored}, not ${value}`)
      }
    }
    promise(byName.size === 0, () => `topics nobody made: ${[...byName.keys()].join(', ')}`)
  }
}
