import type { Compression, TopicConfig } from '@millrace/core'
import { promise } from './promise.ts'

/** What a life has found out about the end of a transaction. */
type TransactionState = 'open' | 'committing' | 'committed' | 'aborted'

/** Records written together over partitions, and a position with them. */
export interface ModelTransaction {
  readonly name: string
  readonly batches: SentBatch[]
  state: TransactionState
}

/** A batch that was given to the log. */
export interface SentBatch {
  readonly partition: ModelPartition
  /** Its records have the ids `firstId`, `firstId + 1`, … */
  readonly firstId: number
  readonly count: number
  sizeBytes: number
  readonly timestampMs: number
  readonly compression: Compression
  readonly sentAtElapsedMs: number
  /** Which process sent it, counted from 0; several may begin at one moment. */
  readonly sentInSession: number
  readonly transaction: ModelTransaction | undefined
  /** `sent`: the outcome is unknown. `refused`, `gone`: it must never be seen. */
  state: 'sent' | 'durable' | 'refused' | 'gone'
  /** What the log answered; −1 before. A transaction's batch may vanish until its commit is answered. */
  baseOffset: number
  leaderEpoch: number
}

/** Where the model finds a batch by the id of a record in it. */
export interface Batches {
  batchOf(id: number | undefined): SentBatch | undefined
}

/** The transaction has turned out to be committed: none of its records may be gone. */
export function learnCommitted(transaction: ModelTransaction): void {
  const lost = transaction.batches.find(({ state }) => state === 'gone')
  promise(
    lost === undefined,
    () => `${transaction.name} is committed, but a crash took its record ${lost?.firstId}`,
  )
  transaction.state = 'committed'
}

/** One partition as an array: which record lies at which offset, as far as it is known for good. */
export class ModelPartition {
  readonly topic: ModelTopic
  readonly partition: number
  /** Record id by offset, for records that were acknowledged or seen. */
  readonly idAt: (number | undefined)[] = []
  readonly epochAt: (number | undefined)[] = []
  readonly sent: SentBatch[] = []
  startOffset = 0
  trimRequested = 0
  /** Below this everything survives a power loss, whatever the topic's durability. */
  durableOffset = 0
  /** What lies below was read with all its transactions decided, at the last opening. */
  decidedOffset = 0

  constructor(topic: ModelTopic, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get name(): string {
    return `${this.topic.name}-${this.partition}`
  }

  /** The log says that a batch lies at `baseOffset`. */
  place(batch: SentBatch, baseOffset: number, leaderEpoch: number): void {
    promise(
      batch.baseOffset < 0 || batch.baseOffset === baseOffset,
      () =>
        `${this.name}: record ${batch.firstId} moved from offset ${batch.baseOffset} to ${baseOffset}`,
    )
    batch.baseOffset = baseOffset
    batch.leaderEpoch = leaderEpoch
    batch.state = 'durable'
    for (let index = 0; index < batch.count; index += 1) {
      const offset = baseOffset + index
      const id = this.idAt[offset]
      promise(
        id === undefined || id === batch.firstId + index,
        () =>
          `${this.name}: offset ${offset} held record ${id} and now holds ${batch.firstId + index}`,
      )
      const epoch = this.epochAt[offset]
      promise(
        epoch === undefined || epoch === leaderEpoch,
        () => `${this.name}: offset ${offset} had leader epoch ${epoch} and now has ${leaderEpoch}`,
      )
      this.idAt[offset] = batch.firstId + index
      this.epochAt[offset] = leaderEpoch
    }
  }

  /** Everything below `offset` survives a power loss from now on. */
  keepBelow(offset: number): void {
    this.durableOffset = Math.max(this.durableOffset, offset)
  }

  /** The process ends, or the power goes with it: records that were not meant to survive that may be gone, or not. */
  lose(how: 'process' | 'power'): void {
    const { durability } = this.topic.config
    if (durability === 'fsync' || (durability === 'os' && how === 'process')) return
    for (const batch of this.sent) {
      if (batch.state === 'durable' && batch.baseOffset >= this.durableOffset) batch.state = 'sent'
    }
    this.idAt.length = Math.min(this.idAt.length, this.durableOffset)
    this.epochAt.length = this.idAt.length
  }

  /** The log says that the partition starts at `startOffset`; `mayExpire` names what retention may take. */
  startsAt(startOffset: number, mayExpire: (batch: SentBatch) => boolean): void {
    promise(
      startOffset >= this.startOffset,
      () => `${this.name}: the start went back from ${this.startOffset} to ${startOffset}`,
    )
    this.mayStartAt(startOffset, mayExpire)
    this.startOffset = startOffset
  }

  /** Somebody sees the partition start at `startOffset`, for good or not. */
  mayStartAt(startOffset: number, mayExpire: (batch: SentBatch) => boolean): void {
    for (
      let offset = Math.max(this.startOffset, this.trimRequested);
      offset < startOffset;
      offset += 1
    ) {
      const batch = this.topic.batches.batchOf(this.idAt[offset])
      promise(
        batch === undefined || mayExpire(batch),
        () =>
          `${this.name}: offset ${offset} was deleted although nobody asked and it is not old enough`,
      )
    }
  }
}

/** A topic as the model expects it. */
export class ModelTopic {
  readonly batches: Batches
  readonly name: string
  readonly partitions: ModelPartition[] = []
  /** Empty until the log has told it. */
  id = ''
  /** `creating`, `deleting`: asked for, outcome unknown. */
  state: 'creating' | 'there' | 'deleting' | 'gone' = 'creating'
  config: Partial<TopicConfig>
  /** A size that was asked for and never answered. */
  partitionsAsked = 0

  constructor(batches: Batches, name: string, partitions: number, config: Partial<TopicConfig>) {
    this.batches = batches
    this.name = name
    this.config = config
    this.grow(partitions)
  }

  grow(partitions: number): void {
    while (this.partitions.length < partitions) {
      this.partitions.push(new ModelPartition(this, this.partitions.length))
    }
  }
}
