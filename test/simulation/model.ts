import type {
  FetchedPartition,
  Position,
  StoredPosition,
  TopicConfig,
  TopicDescription,
} from '@millrace/core'
import { BatchReader } from '../../core/src/batch/index.ts'

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
  readonly sentAtMs: number
  readonly sentAtElapsedMs: number
  readonly transaction: ModelTransaction | undefined
  /** `sent`: the outcome is unknown. `refused`, `gone`: it must never be seen. */
  state: 'sent' | 'durable' | 'refused' | 'gone'
  /** What the log answered; −1 before. A transaction's batch may vanish until its commit is answered. */
  baseOffset: number
  leaderEpoch: number
}

/** A position that was given to the log, and the transaction it came with. */
interface SentPosition {
  readonly stored: StoredPosition
  readonly transaction: ModelTransaction | undefined
  isAcknowledged: boolean
}

/** Thrown when the log and the model disagree: the log has a bug. */
export class BrokenPromise extends Error {
  override name = 'BrokenPromise'
}

/** Says that the log broke a promise, unless `condition` holds. */
export function promise(condition: boolean, broken: () => string): asserts condition {
  if (!condition) throw new BrokenPromise(broken())
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
  epochMax = -1

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
    this.epochMax = Math.max(this.epochMax, leaderEpoch)
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

  /** The power goes: records that were only written may be gone, or not. */
  losePower(): void {
    if (this.topic.config.durability !== 'os') return
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
    for (
      let offset = Math.max(this.startOffset, this.trimRequested);
      offset < startOffset;
      offset += 1
    ) {
      const batch = this.topic.model.batchOf(this.idAt[offset])
      promise(
        batch === undefined || mayExpire(batch),
        () =>
          `${this.name}: offset ${offset} was deleted although nobody asked and it is not old enough`,
      )
    }
    this.startOffset = startOffset
  }
}

/** A topic as the model expects it. */
export class ModelTopic {
  readonly model: Model
  readonly name: string
  readonly partitions: ModelPartition[] = []
  /** Empty until the log has told it. */
  id = ''
  /** `creating`, `deleting`: asked for, outcome unknown. */
  state: 'creating' | 'there' | 'deleting' | 'gone' = 'creating'
  config: Partial<TopicConfig>
  /** A size that was asked for and never answered. */
  partitionsAsked = 0

  constructor(model: Model, name: string, partitions: number, config: Partial<TopicConfig>) {
    this.model = model
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

/** The log as arrays: everything that was asked of it, and what it must therefore still hold. */
export class Model {
  readonly topics = new Map<string, ModelTopic>()
  /** By record id. */
  readonly #batches: SentBatch[] = []
  /** Transactions of the process that runs now. */
  readonly #running = new Set<ModelTransaction>()
  /** By group and partition: the last position known to be stored, then those that may be. */
  readonly #positions = new Map<string, SentPosition[]>()

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

  /** Compares what a fetch gave with what must be there, and learns from it. */
  read(
    partition: ModelPartition,
    from: number,
    isolation: 'read_uncommitted' | 'read_committed',
    fetched: FetchedPartition,
  ): void {
    const isCommitted = isolation === 'read_committed'
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
  }

  #seenCommitted({ transaction }: SentBatch, where: string): void {
    if (transaction === undefined) return
    promise(
      transaction.state === 'committed' || transaction.state === 'committing',
      () =>
        `${where}: a reader of committed records sees transaction ${transaction.name}, which is ${transaction.state}`,
    )
    this.#committed(transaction)
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
    this.#committed(transaction)
    for (const batch of transaction.batches) {
      batch.partition.place(batch, batch.baseOffset, batch.leaderEpoch)
      this.#keptBelow(batch.partition, batch.baseOffset + batch.count)
    }
  }

  #keptBelow(partition: ModelPartition | undefined, offset: number): void {
    if (partition === undefined) return
    partition.durableOffset = Math.max(partition.durableOffset, offset)
  }

  #committed(transaction: ModelTransaction): void {
    const lost = transaction.batches.find(({ state }) => state === 'gone')
    promise(
      lost === undefined,
      () => `${transaction.name} is committed, but a crash took its record ${lost?.firstId}`,
    )
    transaction.state = 'committed'
  }

  /** Everything of a partition has been read after a crash: what was not there has gone for good. */
  recovered(partition: ModelPartition): void {
    this.#keptBelow(partition, partition.idAt.length)
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

  losePower(): void {
    for (const { partitions } of this.topics.values()) for (const one of partitions) one.losePower()
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

  /** A position is being stored; from now on it may be found. Its metadata must be unique. */
  sendPosition(group: string, stored: StoredPosition, transaction?: ModelTransaction): void {
    const key = positionKey(group, stored)
    const sent = this.#positions.get(key) ?? []
    sent.push({ stored, transaction, isAcknowledged: false })
    this.#positions.set(key, sent)
  }

  /** A position was acknowledged: those before it must never be found again. */
  positionStored(group: string, stored: StoredPosition): void {
    const sent = this.#positions.get(positionKey(group, stored)) ?? []
    const index = sent.findIndex((one) => one.stored.metadata === stored.metadata)
    sent.splice(0, index)
    if (sent[0] !== undefined) sent[0].isAcknowledged = true
    // No position outlives what it points past.
    const partition = this.topics.get(stored.topic)?.partitions[stored.partition]
    if (partition?.topic.id === stored.topicId) this.#keptBelow(partition, stored.position.offset)
  }

  /** A position was refused: it must never be found. */
  positionRefused(group: string, stored: StoredPosition): void {
    const sent = this.#positions.get(positionKey(group, stored)) ?? []
    const index = sent.findIndex((one) => one.stored.metadata === stored.metadata)
    if (index >= 0) sent.splice(index, 1)
  }

  /** Compares a group's positions with what must be there, and learns from them; none may be on its way. */
  readPositions(group: string, found: readonly StoredPosition[]): void {
    for (const [key, sent] of this.#positions) {
      if (!key.startsWith(`${group}/`) || this.#topicOf(key)?.state !== 'there') continue
      const stored = found.find((one) => positionKey(group, one) === key)
      const index = sent.findIndex((one) => one.stored.metadata === stored?.metadata)
      promise(
        stored === undefined || index >= 0,
        () => `${key}: ${stored?.metadata} was refused, replaced or never stored`,
      )
      promise(
        stored !== undefined || !sent[0]?.isAcknowledged,
        () => `${key}: a stored position is lost`,
      )
      for (const later of sent.slice(index + 1)) this.#lostPosition(later, key)
      if (stored !== undefined) this.#foundPosition(sent[index], stored.position, key)
      this.#positions.set(key, sent.slice(index, index + 1))
    }
  }

  #topicOf(key: string): ModelTopic | undefined {
    const [, id] = key.split('/')
    return [...this.topics.values()].find((topic) => topic.id === id)
  }

  #lostPosition({ stored, transaction }: SentPosition, key: string): void {
    if (transaction === undefined) return
    promise(
      transaction.state !== 'committed',
      () =>
        `${key}: ${transaction.name} is committed, but its position ${stored.metadata} is not stored`,
    )
    if (transaction.state === 'committing') transaction.state = 'aborted'
  }

  #foundPosition(sent: SentPosition | undefined, found: Position, key: string): void {
    const expected = sent?.stored.position
    promise(
      expected?.offset === found.offset && expected.leaderEpoch === found.leaderEpoch,
      () => `${key}: stored ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`,
    )
    if (sent === undefined) return
    sent.isAcknowledged = true
    const { transaction } = sent
    if (transaction === undefined) return
    promise(
      transaction.state === 'committed' || transaction.state === 'committing',
      () => `${key}: the position of ${transaction.name} is stored, but it is ${transaction.state}`,
    )
    this.#committed(transaction)
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

function positionKey(group: string, { topicId, partition }: StoredPosition): string {
  return `${group}/${topicId}/${partition}`
}

const VALUE_BYTES_MIN = 8

const values: Buffer[] = []

/** The value of a record: its id, then filler of a length and content that follow from it. */
export function recordValue(id: number): Uint8Array {
  const known = values[id]
  if (known !== undefined) return known
  const mixed = Math.imul(id ^ 0x5bd1e995, 0x9e3779b1) >>> 0
  const value = Buffer.alloc(VALUE_BYTES_MIN + (mixed % (mixed & 0x1000 ? 500 : 60)), mixed & 0xff)
  value.writeUInt32BE(id, 0)
  value.writeUInt32BE(mixed, 4)
  values[id] = value
  return value
}

function recordId(value: Uint8Array | null): number {
  return value === null || value.length < 4
    ? -1
    : new DataView(value.buffer, value.byteOffset).getUint32(0)
}

function isRecord(id: number, value: Uint8Array | null): boolean {
  return value !== null && Buffer.compare(recordValue(id), value) === 0
}
