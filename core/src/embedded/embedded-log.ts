import { ClosedError, UnavailableError, UsageError } from '../errors.ts'
import type { FileLock, Ports } from '../io/index.ts'
import type {
  AppendRequest,
  AppendResult,
  CommitPositionsRequest,
  EndTransactionRequest,
  FetchRequest,
  FetchResult,
  FindOffsetRequest,
  GroupDescription,
  GroupMember,
  GroupPositions,
  JoinGroupRequest,
  JoinGroupResult,
  Log,
  LogDescription,
  NewTopic,
  ProducerIdentity,
  StoredPosition,
  SyncGroupRequest,
  TopicConfig,
  TopicDescription,
} from '../log.ts'
import type { Position, TopicPartition } from '../record.ts'
import type { Disk } from '../storage/disk.ts'
import type { Partition } from '../storage/partition.ts'
import type { TransactionCoordinator } from '../transactions/coordinator.ts'
import type { Journal } from '../transactions/journal.ts'
import { checkPosition } from '../transactions/positions.ts'
import type { GroupCoordinator } from '../groups/index.ts'
import { fetch } from './fetch.ts'
import { findOffset } from './find-offset.ts'
import type { RetentionTimer } from './retention-timer.ts'
import type { Topics } from './topics.ts'

/** The open parts that an {@link EmbeddedLog} is made of. */
export interface EmbeddedLogParts {
  readonly ports: Ports
  readonly disk: Disk
  readonly lock: FileLock
  readonly logId: string
  readonly openings: readonly string[]
  readonly url: string
  readonly topics: Topics
  readonly journal: Journal
  readonly transactions: TransactionCoordinator
  readonly retention: RetentionTimer
  readonly groups: GroupCoordinator
}

/** A log in a data directory that this process owns. */
export class EmbeddedLog implements Log {
  readonly #parts: EmbeddedLogParts
  #closing: Promise<void> | undefined

  constructor(parts: EmbeddedLogParts) {
    this.#parts = parts
  }

  async describe(): Promise<LogDescription> {
    this.#assertOpen()
    const damaged = this.#parts.topics.partitions
      .map(({ log }) => log.damage)
      .filter((damage) => damage !== undefined)
    const { logId, openings, url } = this.#parts
    return { logId, openings, url, access: 'read-write', damaged }
  }

  async createTopic(topic: NewTopic): Promise<TopicDescription> {
    this.#assertOpen()
    return this.#parts.topics.create(topic)
  }

  async describeTopic(name: string): Promise<TopicDescription> {
    this.#assertOpen()
    return this.#parts.topics.describe(name)
  }

  async listTopics(): Promise<TopicDescription[]> {
    this.#assertOpen()
    return this.#parts.topics.list()
  }

  async alterTopic(name: string, config: Partial<TopicConfig>): Promise<TopicDescription> {
    this.#assertOpen()
    return this.#parts.topics.alter(name, config)
  }

  async addPartitions(name: string, partitions: number): Promise<TopicDescription> {
    this.#assertOpen()
    return this.#parts.topics.addPartitions(name, partitions)
  }

  async deleteTopic(name: string): Promise<void> {
    this.#assertOpen()
    const topicId = await this.#parts.topics.delete(name)
    try {
      await this.#parts.journal.write({ type: 'topic-deleted', topicId })
    } catch (error) {
      // The topic is gone all the same; its stored positions go when the log is opened again.
      if (!(error instanceof UnavailableError)) throw error
    }
  }

  // Not async: a promise less for each of the many batches.
  append(request: AppendRequest): Promise<AppendResult> {
    try {
      this.#assertOpen()
      return this.#parts.topics.find(request).append(request)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async fetch(request: FetchRequest): Promise<FetchResult> {
    this.#assertOpen()
    const { topics, ports } = this.#parts
    const isClosed = (): boolean => this.#closing !== undefined
    return fetch(
      {
        clock: ports.clock,
        find: (place) => topics.find(place),
        get isClosed() {
          return isClosed()
        },
      },
      request,
    )
  }

  async findOffset(request: FindOffsetRequest): Promise<Position> {
    this.#assertOpen()
    return findOffset(this.#parts.topics.find(request).log, request)
  }

  async trim(target: TopicPartition, offset: number): Promise<number> {
    this.#assertOpen()
    return this.#parts.topics.find(target).trim(offset)
  }

  async initProducer(request: { readonly transactionalId?: string }): Promise<ProducerIdentity> {
    this.#assertOpen()
    return this.#parts.transactions.initProducer(request.transactionalId)
  }

  async endTransaction(request: EndTransactionRequest): Promise<ProducerIdentity> {
    this.#assertOpen()
    const groups = request.positions ?? []
    if (request.outcome === 'abort' && groups.length > 0) {
      throw new UsageError('USAGE', 'An aborted transaction stores no positions: leave them out.')
    }
    const { producerId, producerEpoch, outcome } = request
    const positionPartitions = groups.flatMap((group) => this.#checkPositions(group))
    const positions = groups.map(({ group, positions: stored }) => ({ group, positions: stored }))
    return this.#parts.transactions.end({
      producerId,
      producerEpoch,
      outcome,
      positions,
      positionPartitions,
    })
  }

  async commitPositions(request: CommitPositionsRequest): Promise<void> {
    this.#assertOpen()
    const { group, positions } = request
    const partitions = this.#checkPositions(request)
    await Promise.all(partitions.map((partition) => partition.flush()))
    await this.#parts.journal.write({ type: 'positions', positions: [{ group, positions }] })
  }

  async readPositions(group: string): Promise<StoredPosition[]> {
    this.#assertOpen()
    return this.#parts.journal.state.positionsOf(group)
  }

  async joinGroup(request: JoinGroupRequest): Promise<JoinGroupResult> {
    this.#assertOpen()
    return this.#parts.groups.join(request)
  }

  async syncGroup(request: SyncGroupRequest): Promise<Uint8Array> {
    this.#assertOpen()
    return this.#parts.groups.sync(request)
  }

  async heartbeat(member: GroupMember): Promise<void> {
    this.#assertOpen()
    this.#parts.groups.heartbeat(member)
  }

  async leaveGroup(member: GroupMember): Promise<void> {
    this.#assertOpen()
    this.#parts.groups.leave(member)
  }

  async listGroups(): Promise<GroupDescription[]> {
    this.#assertOpen()
    const { groups, journal } = this.#parts
    const members = groups.list().map(({ group }) => group)
    const names = new Set([...members, ...journal.state.groups])
    return [...names].toSorted().map((group) => this.#describeGroup(group))
  }

  async describeGroup(group: string): Promise<GroupDescription> {
    this.#assertOpen()
    return this.#describeGroup(group)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { disk, topics, transactions, journal, lock, retention, groups } = this.#parts
    await Promise.resolve()
    try {
      groups.close()
      for (const partition of topics.partitions) partition.wake()
      await retention.close()
      await transactions.settled()
      const failures = await topics.close()
      await transactions.close()
      await journal.close()
      for (const { reason } of failures) throw reason
      await topics.noteClosed()
      // Perhaps it failed in the background, where nobody was told.
      disk.assertUsable()
    } finally {
      await lock.release()
    }
  }

  #describeGroup(group: string): GroupDescription {
    const { groups, journal } = this.#parts
    const positions = journal.state.positionsOf(group)
    const described = groups.describe(group)
    // Without members it may still have positions; only a group without either is unknown.
    const isEmpty = described.state === 'Dead' && positions.length > 0
    return { ...described, state: isEmpty ? 'Empty' : described.state, positions }
  }

  /** Checks positions; returns the partitions to be synced because they point above what is. */
  #checkPositions({ member, positions }: GroupPositions): Partition[] {
    if (member !== undefined) this.#parts.groups.check(member)
    const toSync: Partition[] = []
    for (const stored of positions) {
      const partition = this.#parts.topics.find(stored)
      checkPosition(partition, stored)
      if (stored.position.offset > partition.syncedOffset) toSync.push(partition)
    }
    return toSync
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return
    throw new ClosedError('CLOSED', `The log ${this.#parts.url} was closed.`, {
      facts: { url: this.#parts.url },
    })
  }
}
