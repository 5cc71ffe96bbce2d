import type { BatchHeader } from '../batch/header.ts'
import { RejectedError, UnavailableError, UsageError } from '../errors.ts'
import type { Clock } from '../io/index.ts'
import type { ProducerIdentity } from '../log.ts'
import type { Partition } from '../storage/partition.ts'
import type { Journal } from './journal.ts'
import { transactionKey } from './journal-state.ts'
import type { Decision, JournalPositions, JournalProducer, Outcome } from './journal-state.ts'
import { Markers } from './markers.ts'
import { fenced } from './producer-state.ts'

const PRODUCER_EPOCH_MAX = 32_767
/** Producer ids are reserved in blocks, so that most cost no write. */
const PRODUCER_IDS_BLOCK = 1000

/** How a transaction is to end. */
export interface TransactionEnd extends ProducerIdentity {
  readonly outcome: Outcome
  readonly positions: readonly JournalPositions[]
  /** Partitions that the positions point into; they are synced first. */
  readonly positionPartitions: readonly Partition[]
}

/**
 * A producer in this process. States: idle → open (first transactional batch) → ending (the data is
 * being synced, then the decision) → idle with the next epoch. `isFenced` is final for this identity.
 */
interface Producer extends JournalProducer {
  readonly partitions: Set<Partition>
  isEnding: boolean
  isFenced: boolean
}

/**
 * Decides transactions. A commit syncs the data partitions, then writes one decision with all the
 * positions; from that moment everything is visible at once. Markers follow. A transaction without a
 * decision is aborted.
 */
export class TransactionCoordinator {
  readonly #journal: Journal
  readonly #markers: Markers
  readonly #producers = new Map<number, Producer>()
  readonly #producerIdOf = new Map<string, number>()
  readonly #initialising = new Map<string, Promise<unknown>>()
  readonly #ending = new Map<number, Promise<unknown>>()
  #nextProducerId: number
  #reserving: Promise<void> | undefined

  constructor(journal: Journal, clock: Clock) {
    this.#journal = journal
    this.#markers = new Markers(journal, clock)
    this.#nextProducerId = journal.state.producerIdsBelow
    for (const producer of journal.state.producers.values()) this.#register(producer)
  }

  /**
   * Lets a producer's batch pass into a partition, and into its transaction.
   *
   * @throws FencedError PRODUCER_FENCED; UsageError TRANSACTION_STATE.
   */
  admit(header: BatchHeader, partition: Partition): void {
    const { producerId, isTransactional } = header
    if (producerId < 0) {
      if (isTransactional) throw noProducer()
      return
    }
    const producer = this.#producers.get(producerId)
    if (producer === undefined) {
      if (isTransactional) throw fenced(header, -1)
      return
    }
    if (producer.isFenced || header.producerEpoch !== producer.producerEpoch) {
      throw fenced(header, producer.producerEpoch)
    }
    if (!isTransactional) return
    if (producer.isEnding) throw isEnding(producer)
    producer.partitions.add(partition)
  }

  /** Gives a producer its identity; the older holder of a transactional id is fenced first. */
  async initProducer(transactionalId: string | undefined): Promise<ProducerIdentity> {
    if (transactionalId === undefined) {
      const producer = { producerId: await this.#newProducerId(), producerEpoch: 0 }
      this.#register(producer)
      return producer
    }
    const before = this.#initialising.get(transactionalId)
    const running = this.#replaceHolder(transactionalId, before)
    this.#initialising.set(transactionalId, running)
    return running
  }

  /** Ends the open transaction. Resolves with the identity that goes on. */
  async end(request: TransactionEnd): Promise<ProducerIdentity> {
    const producer = this.#producers.get(request.producerId)
    if (producer === undefined) throw fenced(request, -1)
    if (producer.isFenced || producer.producerEpoch !== request.producerEpoch) {
      throw fenced(request, producer.producerEpoch)
    }
    if (producer.isEnding) throw isEnding(producer)
    if (producer.partitions.size === 0 && request.positions.length === 0) {
      return { producerId: producer.producerId, producerEpoch: producer.producerEpoch }
    }
    return this.#end(producer, request)
  }

  /**
   * Deals with what a crash left: re-drives markers, aborts what nobody decided. What lies in damaged
   * partitions stays open: a marker may be behind the damage.
   */
  async resume(partitions: readonly Partition[]): Promise<void> {
    const sound = partitions.filter(({ log }) => log.damage === undefined)
    this.#markers.leaveOut(partitions.filter(({ log }) => log.damage !== undefined))
    const left = openTransactions(sound)
    for (const [key, { producer, partitions: open }] of left) {
      const decided = this.#journal.state.decisions.get(key)
      const decision = decided ?? { ...producer, outcome: 'abort', partitions: [] }
      if (decided === undefined) await this.#fenceAfterCrash(producer)
      apply(decision, open)
      this.#markers.write(decision, open)
    }
    await this.#markers.forgetMarked(new Set(left.keys()))
  }

  /** Resolves once no transaction is being ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#ending.values())
  }

  /** Resolves once the markers on their way are written. */
  async close(): Promise<void> {
    await this.settled()
    await this.#markers.close()
  }

  async #end(producer: Producer, request: TransactionEnd): Promise<ProducerIdentity> {
    producer.isEnding = true
    const running = this.#decide(producer, request).finally(() => {
      producer.isEnding = false
      this.#ending.delete(producer.producerId)
    })
    this.#ending.set(producer.producerId, running)
    return running
  }

  async #decide(producer: Producer, request: TransactionEnd): Promise<ProducerIdentity> {
    const partitions = [...producer.partitions].filter((partition) => !partition.isClosed)
    const toSync = new Set([...partitions, ...request.positionPartitions])
    await Promise.all(Array.from(toSync, (partition) => partition.flush()))
    // Another process that sees the decision must also see all of its records.
    if (request.outcome === 'commit') {
      await Promise.all(Array.from(toSync, (partition) => partition.watermarkSettled()))
      await this.#journal.watermarkSettled()
    }
    const next = await this.#nextIdentity(producer)
    const { producerId, producerEpoch } = producer
    const decision = {
      producerId,
      producerEpoch,
      outcome: request.outcome,
      partitions: partitions.map(({ log }) => ({
        topicId: log.topicId,
        topic: log.topic,
        partition: log.partition,
      })),
    }
    const positions = request.positions
    await this.#journal.write({ type: 'decision', decision, producer: next, positions })
    apply(decision, partitions)
    // It must also see the decision before any of the markers. The room for that is there by now.
    await this.#journal.watermarkSettled().catch(ignoreShortage)
    producer.partitions.clear()
    producer.isFenced = true
    this.#register(next)
    // Nobody knows the next identity yet, so nothing of the next transaction comes before these.
    this.#markers.write(decision, partitions)
    return toIdentity(next)
  }

  /** Its transaction is aborted without its holder knowing, so what the holder sends next is refused. */
  async #fenceAfterCrash({ producerId, producerEpoch }: ProducerIdentity): Promise<void> {
    const current = this.#producers.get(producerId)
    if (current?.producerEpoch !== producerEpoch) return
    const next = await this.#nextIdentity(current)
    await this.#journal.write({ type: 'producer', producer: next })
    current.isFenced = true
    this.#register(next)
  }

  async #replaceHolder(
    transactionalId: string,
    before: Promise<unknown> | undefined,
  ): Promise<ProducerIdentity> {
    await before?.catch(() => {
      // Whoever asked was told.
    })
    const producerId = this.#producerIdOf.get(transactionalId)
    const holder = producerId === undefined ? undefined : this.#producers.get(producerId)
    if (holder === undefined) {
      const first = { producerId: await this.#newProducerId(), producerEpoch: 0, transactionalId }
      await this.#journal.write({ type: 'producer', producer: first })
      this.#register(first)
      return toIdentity(first)
    }
    await this.#ending.get(holder.producerId)?.catch(() => {
      // Whoever asked was told; the transaction is still open then and is aborted below.
    })
    const current = this.#producers.get(this.#producerIdOf.get(transactionalId) ?? -1) ?? holder
    current.isFenced = true
    return this.#takeOver(current)
  }

  async #takeOver(current: Producer): Promise<ProducerIdentity> {
    try {
      if (current.partitions.size > 0) {
        const abort = { ...toIdentity(current), outcome: 'abort' } as const
        return await this.#end(current, { ...abort, positions: [], positionPartitions: [] })
      }
      const next = await this.#nextIdentity(current)
      await this.#journal.write({ type: 'producer', producer: next })
      this.#register(next)
      return toIdentity(next)
    } catch (error) {
      // Nobody took over, so whoever held the name still does.
      current.isFenced = false
      throw error
    }
  }

  async #nextIdentity(producer: JournalProducer): Promise<JournalProducer> {
    const isSpent = producer.producerEpoch >= PRODUCER_EPOCH_MAX
    const next = isSpent
      ? { producerId: await this.#newProducerId(), producerEpoch: 0 }
      : { producerId: producer.producerId, producerEpoch: producer.producerEpoch + 1 }
    const { transactionalId } = producer
    return transactionalId === undefined ? next : { ...next, transactionalId }
  }

  async #newProducerId(): Promise<number> {
    while (this.#nextProducerId >= this.#journal.state.producerIdsBelow) {
      this.#reserving ??= this.#reserve()
      await this.#reserving
    }
    return this.#nextProducerId++
  }

  async #reserve(): Promise<void> {
    try {
      const below = this.#journal.state.producerIdsBelow + PRODUCER_IDS_BLOCK
      await this.#journal.write({ type: 'producer-ids', below })
    } finally {
      this.#reserving = undefined
    }
  }

  #register(producer: JournalProducer): void {
    this.#producers.set(producer.producerId, {
      ...producer,
      partitions: new Set(),
      isEnding: false,
      isFenced: false,
    })
    if (producer.transactionalId !== undefined) {
      this.#producerIdOf.set(producer.transactionalId, producer.producerId)
    }
  }
}

function toIdentity({ producerId, producerEpoch }: ProducerIdentity): ProducerIdentity {
  return { producerId, producerEpoch }
}

/** Decided is decided. */
function ignoreShortage(error: unknown): void {
  if (!(error instanceof UnavailableError)) throw error
}

/** Makes a decision felt in all partitions, in one go. */
function apply(decision: Decision, partitions: readonly Partition[]): void {
  const { producerId, producerEpoch, outcome } = decision
  for (const { log } of partitions) {
    log.transactions.decide(producerId, producerEpoch, outcome, log.endOffset)
  }
  for (const partition of partitions) partition.wake()
}

/** The transactions that are open in any of the partitions, and where. */
function openTransactions(
  partitions: readonly Partition[],
): Map<string, { producer: ProducerIdentity; partitions: Partition[] }> {
  const open = new Map<string, { producer: ProducerIdentity; partitions: Partition[] }>()
  for (const partition of partitions) {
    for (const { producerId, producerEpoch } of partition.log.transactions.list()) {
      const producer = { producerId, producerEpoch }
      const key = transactionKey(producer)
      const known = open.get(key)
      if (known === undefined) open.set(key, { producer, partitions: [partition] })
      else known.partitions.push(partition)
    }
  }
  return open
}

function noProducer(): RejectedError {
  return new RejectedError(
    'RECORD_INVALID',
    'A transactional batch names no producer. Nothing was written; call initProducer first.',
  )
}

function isEnding({ producerId, producerEpoch }: ProducerIdentity): UsageError {
  return new UsageError(
    'TRANSACTION_STATE',
    `The transaction of producer ${producerId} is being ended: wait for that before appending or ending again.`,
    { facts: { producerId, producerEpoch } },
  )
}
