import type { Position, StoredPosition } from '@millrace/core'
import { learnCommitted, type ModelTopic, type ModelTransaction } from './model-topic.ts'
import { promise } from './promise.ts'

/** A position that was given to the log, and the transaction it came with. */
interface SentPosition {
  readonly stored: StoredPosition
  readonly transaction: ModelTransaction | undefined
  isAcknowledged: boolean
  /** Refused, or gone in a crash: it must never be found. */
  isVoid: boolean
}

/** The positions of all groups: what was stored, and what may have been. */
export class ModelPositions {
  readonly #topics: ReadonlyMap<string, ModelTopic>
  /** By group and partition: the last position known to be stored, then those that may be. */
  readonly #positions = new Map<string, SentPosition[]>()
  /** All that were ever sent, in order, for readers who lag behind. */
  readonly #history = new Map<string, SentPosition[]>()

  constructor(topics: ReadonlyMap<string, ModelTopic>) {
    this.#topics = topics
  }

  /** A position is being stored; from now on it may be found. Its metadata must be unique. */
  send(group: string, stored: StoredPosition, transaction?: ModelTransaction): void {
    const key = positionKey(group, stored)
    const sent = { stored, transaction, isAcknowledged: false, isVoid: false }
    for (const list of [this.#positions, this.#history]) {
      const known = list.get(key)
      if (known === undefined) list.set(key, [sent])
      else known.push(sent)
    }
  }

  /** A position was acknowledged: those before it must never be found again. */
  stored(group: string, stored: StoredPosition): void {
    const sent = this.#positions.get(positionKey(group, stored)) ?? []
    const index = sent.findIndex((one) => one.stored.metadata === stored.metadata)
    sent.splice(0, index)
    if (sent[0] !== undefined) sent[0].isAcknowledged = true
    // No position outlives what it points past.
    const partition = this.#topics.get(stored.topic)?.partitions[stored.partition]
    if (partition?.topic.id === stored.topicId) partition.keepBelow(stored.position.offset)
  }

  /** A position was refused: it must never be found. */
  refused(group: string, stored: StoredPosition): void {
    const sent = this.#positions.get(positionKey(group, stored)) ?? []
    const index = sent.findIndex((one) => one.stored.metadata === stored.metadata)
    for (const refused of index < 0 ? [] : sent.splice(index, 1)) refused.isVoid = true
  }

  /** Compares a group's positions with what must be there, and learns from them; none may be on its way. */
  read(group: string, found: readonly StoredPosition[]): void {
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

  /**
   * Compares what a reader beside the owner finds, who may lag behind but never goes back.
   *
   * @param latest which position it found last, by partition.
   */
  readBeside(group: string, found: readonly StoredPosition[], latest: Map<string, number>): void {
    for (const stored of found) {
      const key = positionKey(group, stored)
      const history = this.#history.get(key) ?? []
      const index = history.findIndex((one) => one.stored.metadata === stored.metadata)
      promise(
        index >= 0 && history[index]?.isVoid === false,
        () => `${key}: ${stored.metadata}, read beside the owner, was refused or never stored`,
      )
      promise(
        index >= (latest.get(key) ?? 0),
        () => `${key}: read beside the owner, it went back to ${stored.metadata}`,
      )
      latest.set(key, index)
      this.#foundPosition(history[index], stored.position, key, false)
    }
  }

  #topicOf(key: string): ModelTopic | undefined {
    const [, id] = key.split('/')
    return [...this.#topics.values()].find((topic) => topic.id === id)
  }

  #lostPosition(lost: SentPosition, key: string): void {
    const { stored, transaction } = lost
    lost.isVoid = true
    if (transaction === undefined) return
    promise(
      transaction.state !== 'committed',
      () =>
        `${key}: ${transaction.name} is committed, but its position ${stored.metadata} is not stored`,
    )
    if (transaction.state === 'committing') transaction.state = 'aborted'
  }

  #foundPosition(
    sent: SentPosition | undefined,
    found: Position,
    key: string,
    isLatest = true,
  ): void {
    const expected = sent?.stored.position
    promise(
      expected?.offset === found.offset && expected.leaderEpoch === found.leaderEpoch,
      () => `${key}: stored ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`,
    )
    if (sent === undefined) return
    if (isLatest) sent.isAcknowledged = true
    const { transaction } = sent
    if (transaction === undefined) return
    promise(
      transaction.state === 'committed' || transaction.state === 'committing',
      () => `${key}: the position of ${transaction.name} is stored, but it is ${transaction.state}`,
    )
    learnCommitted(transaction)
  }
}

function positionKey(group: string, { topicId, partition }: StoredPosition): string {
  return `${group}/${topicId}/${partition}`
}
