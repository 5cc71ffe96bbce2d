import type { StoredPosition } from '../log.ts'
import type { TopicPartition } from '../record.ts'

/** A partition by its topic's identity. */
export interface TransactionPartition extends TopicPartition {
  readonly topicId: string
}

/** Who a transactional id, or a running producer, is right now. */
export interface JournalProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly transactionalId?: string
}

export type Outcome = 'commit' | 'abort'

/** How a transaction ended; kept until its markers are durable in every partition. */
export interface Decision {
  readonly producerId: number
  readonly producerEpoch: number
  readonly outcome: Outcome
  readonly partitions: readonly TransactionPartition[]
}

/** What the commit journal says, one record each. A snapshot replaces all that came before it. */
export type JournalEntry =
  | { readonly type: 'producer-ids'; readonly below: number }
  | { readonly type: 'producer'; readonly producer: JournalProducer }
  | {
      readonly type: 'decision'
      readonly decision: Decision
      /** The producer's next identity. */
      readonly producer: JournalProducer
      readonly positions: readonly JournalPositions[]
    }
  | {
      readonly type: 'marked'
      readonly transactions: readonly {
        readonly producerId: number
        readonly producerEpoch: number
      }[]
    }
  | { readonly type: 'positions'; readonly positions: readonly JournalPositions[] }
  | { readonly type: 'topic-deleted'; readonly topicId: string }
  | { readonly type: 'snapshot'; readonly snapshot: JournalSnapshot }

/** Positions of one group. */
export interface JournalPositions {
  readonly group: string
  readonly positions: readonly StoredPosition[]
}

/** Everything a journal has said, in one piece. */
export interface JournalSnapshot {
  readonly producerIdsBelow: number
  readonly producers: readonly JournalProducer[]
  readonly decisions: readonly Decision[]
  readonly positions: readonly JournalPositions[]
}

/** What the journal's entries add up to; replaying them gives the same state again. */
export class JournalState {
  /** Producer ids from here on were never given to anybody. */
  producerIdsBelow = 0
  readonly producers: Map<string, JournalProducer> = new Map()
  readonly decisions: Map<string, Decision> = new Map()
  readonly #positions = new Map<string, Map<string, StoredPosition>>()

  apply(entry: JournalEntry): void {
    switch (entry.type) {
      case 'producer-ids':
        this.producerIdsBelow = entry.below
        return
      case 'producer':
        return this.#setProducer(entry.producer)
      case 'decision':
        this.decisions.set(transactionKey(entry.decision), entry.decision)
        this.#setProducer(entry.producer)
        return this.#setPositions(entry.positions)
      case 'marked':
        for (const marked of entry.transactions) this.decisions.delete(transactionKey(marked))
        return
      case 'positions':
        return this.#setPositions(entry.positions)
      case 'topic-deleted':
        return this.#dropTopic(entry.topicId)
      case 'snapshot':
        return this.#restore(entry.snapshot)
    }
  }

  /** Groups that have stored positions. */
  get groups(): string[] {
    return [...this.#positions.keys()]
  }

  /** Ids of all topics that positions or decisions name. */
  get topicIds(): Set<string> {
    const positions = [...this.#positions.values()].flatMap((stored) => [...stored.values()])
    const decided = [...this.decisions.values()].flatMap(({ partitions }) => partitions)
    return new Set([...positions, ...decided].map(({ topicId }) => topicId))
  }

  positionsOf(group: string): StoredPosition[] {
    return [...(this.#positions.get(group)?.values() ?? [])]
  }

  snapshot(): JournalSnapshot {
    return {
      producerIdsBelow: this.producerIdsBelow,
      producers: [...this.producers.values()],
      decisions: [...this.decisions.values()],
      positions: this.groups.map((group) => ({ group, positions: this.positionsOf(group) })),
    }
  }

  /** Only names are kept: a producer without one dies with the process that asked for it. */
  #setProducer(producer: JournalProducer): void {
    if (producer.transactionalId !== undefined) {
      this.producers.set(producer.transactionalId, producer)
    }
  }

  #setPositions(groups: readonly JournalPositions[]): void {
    for (const { group, positions } of groups) {
      const stored = this.#positions.get(group) ?? new Map<string, StoredPosition>()
      this.#positions.set(group, stored)
      for (const position of positions) {
        stored.set(`${position.topicId}/${position.partition}`, position)
      }
    }
  }

  #dropTopic(topicId: string): void {
    for (const [group, stored] of this.#positions) {
      for (const [key, position] of stored) if (position.topicId === topicId) stored.delete(key)
      if (stored.size === 0) this.#positions.delete(group)
    }
    for (const [key, decision] of this.decisions) {
      const partitions = decision.partitions.filter((partition) => partition.topicId !== topicId)
      if (partitions.length === 0) this.decisions.delete(key)
      else this.decisions.set(key, { ...decision, partitions })
    }
  }

  #restore(snapshot: JournalSnapshot): void {
    this.producerIdsBelow = snapshot.producerIdsBelow
    this.producers.clear()
    this.decisions.clear()
    this.#positions.clear()
    for (const producer of snapshot.producers) this.#setProducer(producer)
    for (const decision of snapshot.decisions) {
      this.decisions.set(transactionKey(decision), decision)
    }
    this.#setPositions(snapshot.positions)
  }
}

/** Names one transaction: every end of a transaction raises its producer's epoch. */
export function transactionKey(transaction: {
  readonly producerId: number
  readonly producerEpoch: number
}): string {
  return `${transaction.producerId}/${transaction.producerEpoch}`
}
