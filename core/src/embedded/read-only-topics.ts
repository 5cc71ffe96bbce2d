import type { FileSystem } from '../io/index.ts'
import type { TopicDescription } from '../log.ts'
import type { TopicPartition } from '../record.ts'
import { partitionPath } from '../storage/partition-directory.ts'
import { errnoOf } from '../storage/transfer.ts'
import { JOURNAL_TOPIC, replayJournal } from '../transactions/journal.ts'
import { JournalState } from '../transactions/journal-state.ts'
import { ReadOnlyPartition } from './read-only-partition.ts'
import { describeTopic, noPartition, topicNotFound } from './topic-description.ts'
import { readRegistry } from './topic-registry.ts'
import type { RegisteredTopic } from './topic-registry.ts'

interface OpenTopic {
  registered: RegisteredTopic
  readonly partitions: ReadOnlyPartition[]
}

/** All that can be read of a data directory which another process may be writing. */
export class ReadOnlyTopics {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #journal: ReadOnlyPartition
  readonly #topics = new Map<string, OpenTopic>()
  #journalOffset = 0
  #refreshing: Promise<void> | undefined
  readonly #journalState = new JournalState()

  constructor(fileSystem: FileSystem, directory: string, logId: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    const place = { topicId: logId, topic: JOURNAL_TOPIC, partition: 0 }
    this.#journal = new ReadOnlyPartition(fileSystem, place, partitionPath(directory, place))
  }

  /** What the commit journal says, as far as it was read. */
  get journalState(): JournalState {
    return this.#journalState
  }

  get partitions(): ReadOnlyPartition[] {
    return [...this.#topics.values()].flatMap(({ partitions }) => partitions)
  }

  /** @throws UsageError TOPIC_NOT_FOUND, for a partition too. */
  find({ topic, partition }: TopicPartition): ReadOnlyPartition {
    const open = this.#get(topic)
    const found = open.partitions[partition]
    if (found === undefined) throw noPartition(open.registered, partition)
    return found
  }

  describe(name: string): TopicDescription {
    return describeTopic(this.#get(name))
  }

  list(): TopicDescription[] {
    return Array.from(this.#topics.values(), describeTopic).toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    )
  }

  /** Catches up with the owner; calls that come together share one look at the disk. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined))
    return this.#refreshing
  }

  async close(): Promise<void> {
    await this.#refreshing?.catch(() => {
      // Whoever asked for it was told.
    })
    await this.#journal.close()
    await Promise.all(this.partitions.map((partition) => partition.close()))
  }

  async #refresh(): Promise<void> {
    await this.#refreshTopics()
    const { partitions } = this
    for (const partition of partitions) await this.#look(() => partition.noteHorizon())
    // Whatever the journal decides was durable, and marked as visible, before it was decided.
    await this.#refreshJournal()
    for (const partition of partitions) await this.#look(() => partition.load())
    const { decisions } = this.#journalState
    const changed = partitions.filter((partition) => partition.publish(decisions))
    for (const partition of changed) partition.wake()
  }

  async #look(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      // Deleted between two looks: the next refresh of the topics notices.
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }

  async #refreshTopics(): Promise<void> {
    const registry = await readRegistry(this.#fileSystem, this.#directory)
    if (registry === undefined) return
    const known = new Set(registry.topics.map(({ topicId }) => topicId))
    for (const [name, open] of this.#topics) {
      if (known.has(open.registered.topicId)) continue
      this.#topics.delete(name)
      await Promise.all(open.partitions.map((partition) => partition.close()))
    }
    for (const registered of registry.topics) this.#add(registered)
  }

  #add(registered: RegisteredTopic): void {
    const { name: topic, topicId } = registered
    const open = this.#topics.get(topic) ?? { registered, partitions: [] }
    open.registered = registered
    this.#topics.set(topic, open)
    for (let partition = open.partitions.length; partition < registered.partitions; partition++) {
      const place = { topicId, topic, partition }
      const path = partitionPath(this.#directory, place)
      open.partitions.push(new ReadOnlyPartition(this.#fileSystem, place, path))
    }
  }

  async #refreshJournal(): Promise<void> {
    const { log } = this.#journal
    await this.#look(() => this.#journal.load())
    this.#journal.publish(this.#journalState.decisions)
    if (log.damage !== undefined) throw log.damageError(log.damage)
    if (this.#journalOffset < log.startOffset) {
      // The owner has compacted it since: what is left starts with a snapshot.
      this.#journalOffset = log.startOffset
    }
    this.#journalOffset = await replayJournal(log, this.#journalState, this.#journalOffset)
  }

  #get(name: string): OpenTopic {
    const found = this.#topics.get(name)
    if (found !== undefined) return found
    throw topicNotFound(name, this.#topics.keys())
  }
}
