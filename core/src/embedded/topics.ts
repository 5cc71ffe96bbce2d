import { UnavailableError, UsageError } from '../errors.ts'
import type { Clock, Random } from '../io/index.ts'
import type { NewTopic, TopicConfig, TopicDescription } from '../log.ts'
import type { TopicPartition } from '../record.ts'
import type { Disk } from '../storage/disk.ts'
import type { LogClock } from '../storage/log-clock.ts'
import { removePartition, renameForDeletion } from '../storage/delete-partition.ts'
import type { Partition, PartitionOptions } from '../storage/partition.ts'
import { Turns } from '../storage/turns.ts'
import { createPartitionFiles, openPartition } from '../storage/partition-directory.ts'
import {
  changedConfig,
  checkNewTopic,
  DEFAULT_TOPIC_CONFIG,
  PARTITIONS_MAX,
} from './topic-config.ts'
import { describeTopic, noPartition, topicNotFound } from './topic-description.ts'
import { checkTopicName, writeRegistry } from './topic-registry.ts'
import type { RegisteredTopic, Registry } from './topic-registry.ts'

/** What the topics of a log need of it. */
export interface TopicsContext {
  readonly disk: Disk
  readonly clock: Clock
  readonly time: LogClock
  readonly random: Random
  readonly admit: PartitionOptions['admit']
}

interface OpenTopic {
  registered: RegisteredTopic
  partitions: Partition[]
}

/** Partitions made or recovered at once: as many as keep the disk busy, for each takes memory and files. */
const PARTITIONS_AT_ONCE = 16

/** The topics of a data directory that is open for writing: made, changed and deleted one at a time. */
export class Topics {
  readonly #context: TopicsContext
  readonly #topics = new Map<string, OpenTopic>()
  #registry: Registry
  #changing: Promise<unknown> = Promise.resolve()
  readonly #background = new Set<Promise<void>>()
  readonly #turns = new Turns(PARTITIONS_AT_ONCE)

  private constructor(context: TopicsContext, registry: Registry) {
    this.#context = context
    this.#registry = registry
  }

  /** Opens and recovers all partitions that the registry lists. */
  static async open(
    context: TopicsContext,
    registry: Registry,
    isClosedInOrder: boolean,
  ): Promise<Topics> {
    const topics = new Topics(context, registry)
    try {
      const opening = registry.topics.map(async (registered) => {
        const open: OpenTopic = { registered, partitions: [] }
        topics.#topics.set(registered.name, open)
        open.partitions = await topics.#openPartitions(registered, 0, isClosedInOrder)
      })
      await allSettled(opening)
      for (const deleted of registry.deleted) await topics.#discard(deleted)
      return topics
    } catch (error) {
      await topics.close()
      throw error
    }
  }

  /** Closes all partitions; gives what went wrong. */
  async close(): Promise<PromiseRejectedResult[]> {
    await this.settled()
    const closed = await Promise.allSettled(this.partitions.map((partition) => partition.close()))
    return closed.filter((result) => result.status === 'rejected')
  }

  /** @throws UsageError TOPIC_NOT_FOUND, for a partition too. */
  find({ topic, partition }: TopicPartition): Partition {
    const found = this.#topics.get(topic)?.partitions[partition]
    if (found !== undefined) return found
    throw noPartition(this.#get(topic).registered, partition)
  }

  get partitions(): Partition[] {
    return [...this.#topics.values()].flatMap(({ partitions }) => partitions)
  }

  describe(name: string): TopicDescription {
    return describeTopic(this.#get(name))
  }

  list(): TopicDescription[] {
    return Array.from(this.#topics.values(), describeTopic).toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    )
  }

  create(topic: NewTopic): Promise<TopicDescription> {
    return this.#change(async () => {
      checkNewTopic(topic)
      checkTopicName(topic.name, this.#topics.keys())
      const registered = {
        topicId: this.#context.random.uuid(),
        name: topic.name,
        internal: topic.internal ?? topic.name.startsWith('__'),
        partitions: topic.partitions ?? 1,
        config: changedConfig(DEFAULT_TOPIC_CONFIG, topic.config ?? {}),
      }
      const partitions = await this.#createPartitions(registered, 0, () =>
        this.#register([...this.#registry.topics, registered]),
      )
      const open = { registered, partitions }
      this.#topics.set(topic.name, open)
      return describeTopic(open)
    })
  }

  alter(name: string, changes: Partial<TopicConfig>): Promise<TopicDescription> {
    return this.#change(async () => {
      const open = this.#get(name)
      const before = open.registered.config
      const config = changedConfig(before, changes)
      const set = (to: TopicConfig): void => {
        for (const partition of open.partitions) partition.config = to
      }
      set(config)
      try {
        // Recovery judges a partition by its level, so what lies in it must first have reached that.
        if (config.durability === 'fsync' && before.durability !== 'fsync') {
          await Promise.all(open.partitions.map((partition) => partition.flush()))
        }
        await this.#replace(open, { ...open.registered, config })
      } catch (error) {
        set(before)
        throw error
      }
      return describeTopic(open)
    })
  }

  addPartitions(name: string, count: number): Promise<TopicDescription> {
    return this.#change(async () => {
      const open = this.#get(name)
      const before = open.registered.partitions
      const registered = { ...open.registered, partitions: checkCount(count, before + 1) }
      const partitions = await this.#createPartitions(registered, before, () =>
        this.#replace(open, registered),
      )
      open.partitions.push(...partitions)
      return describeTopic(open)
    })
  }

  /** Resolves with the deleted topic's id once it is gone for good; the files go in the background. */
  delete(name: string): Promise<string> {
    return this.#change(async () => {
      const { registered, partitions } = this.#get(name)
      const kept = this.#registry.topics.filter((topic) => topic.name !== name)
      await this.#register(kept, [...this.#registry.deleted, registered])
      this.#topics.delete(name)
      for (const partition of partitions) partition.wake()
      await Promise.all(partitions.map((partition) => partition.close(true)))
      await this.#discard(registered)
      return registered.topicId
    })
  }

  /** Keeps the log's time, so that after a crash of the machine little of it is missing. */
  noteTime(): Promise<void> {
    return this.#change(() => this.#register(this.#registry.topics))
  }

  /** All partitions have been recovered in this run of the machine. */
  noteRecovered(recoveredInBoot: string | undefined): Promise<void> {
    // In its turn: a change that is being written down would else put back what was there before.
    return this.#change(async () => {
      if (recoveredInBoot === undefined || recoveredInBoot === this.#registry.recoveredInBoot)
        return
      this.#registry = { ...this.#registry, recoveredInBoot }
      await this.#register(this.#registry.topics)
    })
  }

  /** All partitions were closed; the next opening need not look for what may be unfinished. */
  async noteClosed(): Promise<void> {
    if (!this.#context.disk.isInOrder) return
    const moment = this.#context.time.moment()
    const registry = { ...this.#registry, moment, isClosedInOrder: true }
    await writeRegistry(this.#context.disk, registry).catch(noRoom)
  }

  /** Resolves once nothing is being changed or removed. */
  async settled(): Promise<void> {
    await this.#changing
    while (this.#background.size > 0) await Promise.all(this.#background)
  }

  #get(name: string): OpenTopic {
    const found = this.#topics.get(name)
    if (found !== undefined) return found
    throw topicNotFound(name, this.#topics.keys())
  }

  #change<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = this.#changing.then(run)
    this.#changing = result.catch(() => {
      // The caller has the error; the next change goes on.
    })
    return result
  }

  /** Makes new partitions; `register` comes last, so that what is refused was never there. */
  async #createPartitions(
    topic: RegisteredTopic,
    from: number,
    register: () => Promise<void>,
  ): Promise<Partition[]> {
    await this.#createFiles(topic, from)
    const partitions = await this.#openPartitions(topic, from, true)
    try {
      await register()
      return partitions
    } catch (error) {
      await Promise.allSettled(partitions.map((partition) => partition.close()))
      throw error
    }
  }

  async #createFiles(topic: RegisteredTopic, from: number): Promise<void> {
    const { disk } = this.#context
    // Where the disk kept a deleted topic of this name from being moved away, it is moved now.
    for (const deleted of this.#registry.deleted) {
      if (deleted.name === topic.name) {
        await renameForDeletion(disk, deleted, numbersOf(deleted))
      }
    }
    const creating = Array.from({ length: topic.partitions - from }, (_, index) => {
      const place = { topic: topic.name, partition: from + index }
      return this.#turns.take(() => createPartitionFiles(disk, place, topic.topicId))
    })
    await allSettled(creating)
    await disk.syncDirectory(disk.directory)
  }

  async #openPartitions(
    topic: RegisteredTopic,
    from: number,
    isClosedInOrder: boolean,
  ): Promise<Partition[]> {
    const { disk, clock, time, admit } = this.#context
    const partitions: Partition[] = []
    const opening = Array.from({ length: topic.partitions - from }, async (_, index) => {
      const request = {
        disk,
        clock,
        time,
        admit,
        topic: topic.name,
        partition: from + index,
        topicId: topic.topicId,
        config: topic.config,
        leaderEpoch: this.#registry.leaderEpoch,
        isClosedInOrder,
      }
      partitions[index] = await this.#turns.take(() => openPartition(request))
    })
    try {
      await allSettled(opening)
      return partitions
    } catch (error) {
      await Promise.allSettled(Object.values(partitions).map((partition) => partition.close()))
      throw error
    }
  }

  async #replace(open: OpenTopic, registered: RegisteredTopic): Promise<void> {
    const { topicId } = registered
    await this.#register(
      this.#registry.topics.map((topic) => (topic.topicId === topicId ? registered : topic)),
    )
    open.registered = registered
  }

  async #register(
    topics: readonly RegisteredTopic[],
    deleted: readonly RegisteredTopic[] = this.#registry.deleted,
  ): Promise<void> {
    const moment = this.#context.time.moment()
    const registry = { ...this.#registry, moment, topics, deleted }
    await writeRegistry(this.#context.disk, registry)
    this.#registry = registry
  }

  /** Moves the files of a deleted topic out of the way, and removes them in the background. */
  async #discard(topic: RegisteredTopic): Promise<void> {
    const { disk } = this.#context
    const paths = await renameForDeletion(disk, topic, numbersOf(topic)).catch(noRoom)
    if (paths === undefined) return
    const removing = this.#remove(topic, paths)
      .catch(() => {
        // The registry still lists the topic as deleted: the next opening goes on.
      })
      .finally(() => this.#background.delete(removing))
    this.#background.add(removing)
  }

  async #remove(topic: RegisteredTopic, paths: readonly string[]): Promise<void> {
    for (const path of paths) await removePartition(this.#context.disk, path)
    await this.#change(() =>
      this.#register(
        this.#registry.topics,
        this.#registry.deleted.filter(({ topicId }) => topicId !== topic.topicId),
      ),
    )
  }
}

function numbersOf(topic: RegisteredTopic): number[] {
  return Array.from({ length: topic.partitions }, (_, partition) => partition)
}

/** Deleted is deleted; what a full disk or a lack of files prevents is done at the next opening. */
function noRoom(error: unknown): undefined {
  if (error instanceof UnavailableError) return undefined
  throw error
}

/** Waits for all, so that nobody still writes when the first error is thrown. */
async function allSettled(running: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(running)) {
    if (result.status === 'rejected') throw result.reason
  }
}

function checkCount(partitions: number, minimum: number): number {
  if (Number.isInteger(partitions) && partitions >= minimum && partitions <= PARTITIONS_MAX) {
    return partitions
  }
  throw new UsageError(
    'USAGE',
    `A topic cannot get ${partitions} partitions: the number must be from ${minimum} to ${PARTITIONS_MAX}, and never fewer than now.`,
    { facts: { partitions, minimum } },
  )
}
