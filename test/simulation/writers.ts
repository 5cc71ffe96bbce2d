import type { ProducerIdentity, StoredPosition } from '@millrace/core'
import type { ModelPartition, ModelTransaction, SentBatch } from './model-topic.ts'
import { promise } from './promise.ts'
import type { World } from './world.ts'

/** Somebody who uses the log: `start` after each opening, then `step` again and again. */
export interface Actor {
  start(): Promise<void>
  step(): Promise<void>
}

/** Appends without an identity, several at once. */
export function plainAppender(world: World): Actor {
  return {
    start: () => Promise.resolve(),
    async step() {
      const appends: Promise<unknown>[] = []
      for (let count = 1 + world.random.integer(5); count > 0; count -= 1) {
        const partition = world.somePartition()
        if (partition === undefined) return
        appends.push(world.append(world.newBatch(partition, 1 + world.random.integer(3))))
      }
      await Promise.all(appends)
    },
  }
}

/** Batches of a producer that a log must recognise when they are sent again. */
const REMEMBERED = 5

interface Sequenced {
  readonly batch: SentBatch
  readonly baseSequence: number
}

/** Appends with sequence numbers, several in flight, and repeats itself after a crash. */
export class IdempotentProducer implements Actor {
  readonly #world: World
  #identity: ProducerIdentity | undefined
  /** The latest batches by partition, in order. */
  #latest = new Map<ModelPartition, Sequenced[]>()

  constructor(world: World) {
    this.#world = world
  }

  async start(): Promise<void> {
    // Where it is not known which of its batches are there, only a new identity can go on.
    const isUnclear = [...this.#latest.values()].some(
      ([first, ...others]) =>
        (first !== undefined && first.baseSequence > 0 && first.batch.state !== 'durable') ||
        [first, ...others].some((one) => one?.batch.state === 'sent'),
    )
    if (isUnclear) this.#identity = undefined
    if (this.#identity === undefined) this.#latest.clear()
    for (const [partition, latest] of this.#latest) {
      if (partition.topic.state !== 'there') {
        this.#latest.delete(partition)
        continue
      }
      const firstGone = latest.findIndex(({ batch }) => batch.state !== 'durable')
      const isPrefix = latest.slice(firstGone).every(({ batch }) => batch.state !== 'durable')
      promise(
        firstGone < 0 || isPrefix,
        () => `${partition.name}: a crash took a batch of a producer and kept a later one`,
      )
      if (firstGone >= 0) latest.splice(firstGone)
      latest.splice(0, latest.length - REMEMBERED)
      await this.#repeat(partition)
    }
  }

  async step(): Promise<void> {
    const { random } = this.#world
    const partition = this.#world.somePartition()
    if (partition === undefined) return
    if (this.#identity === undefined) {
      const outcome = await this.#world.attempt('init', () => this.#world.log.initProducer({}))
      if (outcome.kind !== 'done') return
      this.#identity = outcome.value
      this.#latest.clear()
    }
    if (random.chance(4)) await this.#repeat(partition)
    else await this.#appendInOrder(partition, 1 + random.integer(3))
  }

  async #appendInOrder(partition: ModelPartition, count: number): Promise<void> {
    const latest = this.#latest.get(partition) ?? []
    this.#latest.set(partition, latest)
    const appends: Promise<{ kind: string }>[] = []
    for (let index = 0; index < count; index += 1) {
      const before = latest.at(-1)
      const batch = this.#world.newBatch(partition, 1 + this.#world.random.integer(2))
      const baseSequence = before === undefined ? 0 : before.baseSequence + before.batch.count
      latest.push({ batch, baseSequence })
      appends.push(this.#send({ batch, baseSequence }))
    }
    const outcomes = await Promise.all(appends)
    // A refused batch leaves a gap in the sequence: only a new identity can go on.
    if (outcomes.some(({ kind }) => kind === 'refused')) this.#identity = undefined
    latest.splice(0, latest.length - REMEMBERED)
  }

  /** Sends a batch again that the log has: it must say so, and where. */
  async #repeat(partition: ModelPartition): Promise<void> {
    const latest = this.#latest.get(partition) ?? []
    if (latest.length === 0) return
    const sequenced = latest[this.#world.random.integer(latest.length)]
    if (sequenced?.batch.state !== 'durable' || sequenced.batch.baseOffset < partition.startOffset)
      return
    const outcome = await this.#send(sequenced)
    if (outcome.kind === 'unknown') return
    if (outcome.kind === 'refused' && ['DISK_FULL', 'TOPIC_NOT_FOUND'].includes(outcome.error.code))
      return
    promise(
      outcome.kind === 'done' && outcome.value.duplicate,
      () =>
        `${partition.name}: record ${sequenced.batch.firstId} was sent again and not recognised (${
          outcome.kind === 'done' ? 'appended twice' : outcome.error.message
        })`,
    )
  }

  #send({ batch, baseSequence }: Sequenced): ReturnType<World['append']> {
    const identity = this.#identity ?? { producerId: -1, producerEpoch: -1 }
    return this.#world.append(batch, {
      producerId: identity.producerId,
      producerEpoch: identity.producerEpoch,
      baseSequence,
    })
  }
}

/** Writes transactions over several partitions, with a position in each. */
export class Transactor implements Actor {
  readonly #world: World
  readonly name: string
  #identity: ProducerIdentity | undefined
  #lastIdentity: ProducerIdentity | undefined
  #transaction: ModelTransaction | undefined
  #sequences = new Map<ModelPartition, number>()
  #count = 0

  constructor(world: World, name: string) {
    this.#world = world
    this.name = name
  }

  /** Takes its name back, which ends what a former holder left open. */
  async start(): Promise<void> {
    this.#forget()
    this.#identity = undefined
    const outcome = await this.#world.attempt('init', () =>
      this.#world.log.initProducer({ transactionalId: this.name }),
    )
    if (outcome.kind !== 'done') return
    const last = this.#lastIdentity
    promise(
      last?.producerId !== outcome.value.producerId ||
        outcome.value.producerEpoch > last.producerEpoch,
      () => `${this.name} got the same epoch again after a crash`,
    )
    this.#identity = outcome.value
    this.#lastIdentity = outcome.value
  }

  /** Whether a transaction is open that readers of committed records must wait for. */
  get isOpen(): boolean {
    return this.#transaction !== undefined
  }

  async step(): Promise<void> {
    if (this.#identity === undefined) return this.start()
    const isDone = this.#transaction !== undefined && this.#world.random.chance(2)
    if (isDone) await this.#end(this.#transaction as ModelTransaction)
    else await this.#append()
  }

  async #append(): Promise<void> {
    const partition = this.#world.somePartition()
    if (partition === undefined) return
    this.#count += 1
    this.#transaction ??= { name: `${this.name}#${this.#count}`, batches: [], state: 'open' }
    const batch = this.#world.newBatch(
      partition,
      1 + this.#world.random.integer(2),
      this.#transaction,
    )
    const baseSequence = this.#sequences.get(partition) ?? 0
    this.#sequences.set(partition, baseSequence + batch.count)
    const identity = this.#identity ?? { producerId: -1, producerEpoch: -1 }
    const outcome = await this.#world.append(batch, {
      producerId: identity.producerId,
      producerEpoch: identity.producerEpoch,
      baseSequence,
    })
    if (outcome.kind === 'refused') await this.#finish(this.#transaction, 'abort')
  }

  async #end(transaction: ModelTransaction): Promise<void> {
    const isWhole = transaction.batches.every(({ baseOffset }) => baseOffset >= 0)
    await this.#finish(transaction, isWhole && !this.#world.random.chance(4) ? 'commit' : 'abort')
  }

  async #finish(transaction: ModelTransaction, outcome: 'commit' | 'abort'): Promise<void> {
    const identity = this.#identity
    if (identity === undefined) return
    const { log, model, tally } = this.#world
    const position = outcome === 'commit' ? this.#world.somePosition() : undefined
    if (position !== undefined) model.positions.send(this.name, position, transaction)
    transaction.state = outcome === 'commit' ? 'committing' : 'aborted'
    const positions = position === undefined ? [] : [{ group: this.name, positions: [position] }]
    const ended = await this.#world.attempt('commit', () =>
      log.endTransaction(
        outcome === 'commit' ? { ...identity, outcome, positions } : { ...identity, outcome },
      ),
    )
    if (ended.kind === 'unknown') return
    if (ended.kind === 'refused') {
      // A topic of it may have been deleted, or the disk is full; a new identity ends it either way.
      promise(
        ended.error.code !== 'PRODUCER_FENCED',
        () => `${transaction.name}: ${ended.error.message}`,
      )
      return this.#refused(transaction, position)
    }
    if (outcome === 'commit') model.commit(transaction)
    if (position !== undefined) model.positions.stored(this.name, position)
    tally.count(outcome === 'commit' ? 'transaction committed' : 'transaction aborted')
    this.#forget()
    this.#identity = ended.value
    this.#lastIdentity = ended.value
  }

  #refused(transaction: ModelTransaction, position: StoredPosition | undefined): Promise<void> {
    transaction.state = 'aborted'
    if (position !== undefined) this.#world.model.positions.refused(this.name, position)
    return this.start()
  }

  #forget(): void {
    this.#transaction = undefined
    this.#sequences.clear()
  }
}
