import type { Clock, FileSystem, Ports } from '../io/index.ts'
import type { TopicDescription } from '../log.ts'
import type { TopicPartition } from '../record.ts'
import { partitionPath } from '../storage/partition-directory.ts'
import { errnoOf } from '../storage/transfer.ts'
import { JOURNAL_TOPIC, replayJournal } from '../transactions/journal.ts'
import { JournalState } from '../transactions/journal-state.ts'
import { ReadOnlyPartition } from './read-only-partition.ts'
import { describeTopic, noPartition, topicNotFound } from './topic-description.ts'
import { readRegistry } from './topic-registry.ts'
import type { RegisteredTopic, Registry } from './topic-registry.ts'

interface OpenTopic {
  registered: RegisteredTopic
  readonly partitions: ReadOnlyPartition[]
}

/** All that can be read of a data directory which another process may be writing. */
export class ReadOnlyTopics {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #logId: string
  readonly #clock: Clock
  #journal: ReadOnlyPartition
  #topics = new Map<string, OpenTopic>()
  /** What readers find: the same topics, or those from before until the others are as far. */
  #shown: ReadonlyMap<string, OpenTopic> = this.#topics
  /** To be closed when nobody finds them any more. */
  #outdated: ReadOnlyPartition[] = []
  /** What was read last may be more than is visible, should somebody have recovered the log meanwhile. */
  #isDoubtful = false
  #journalOffset = 0
  #refreshing: Promise<void> | undefined
  #journalState = new JournalState()

  constructor(
    { fileSystem, clock }: Pick<Ports, 'fileSystem' | 'clock'>,
    directory: string,
    logId: string,
  ) {
    this.#fileSystem = fileSystem
    this.#clock = clock
    this.#directory = directory
    this.#logId = logId
    this.#journal = this.#newJournal()
  }

  /** What the commit journal says, as far as it was read. */
  get journalState(): JournalState {
    return this.#journalState
  }

  get partitions(): ReadOnlyPartition[] {
    return partitionsOf(this.#shown)
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
    return Array.from(this.#shown.values(), describeTopic).toSorted((a, b) =>
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
    this.#shown = this.#topics
    this.#outdated.push(this.#journal, ...this.partitions)
    await this.#closeOutdated()
  }

  async #refresh(): Promise<void> {
    let registry = await this.#readRegistry()
    while (registry !== undefined) {
      const isCold = this.#isCold(registry)
      if (!isCold && this.#isDoubtful) this.#beginAnew()
      this.#isDoubtful = isCold
      await this.#noteTopics(registry)
      await this.#load(isCold)
      if (!isCold) break
      registry = await this.#readRegistry()
      if (registry === undefined || !this.#isCold(registry)) continue
      this.#isDoubtful = false
      break
    }
    await this.#publish()
  }

  async #publish(): Promise<void> {
    const { decisions } = this.#journalState
    const partitions = partitionsOf(this.#topics)
    const decided = new Set(partitions.flatMap((partition) => partition.decided))
    const changed = partitions.filter((partition) => partition.publish(decisions, decided))
    this.#shown = this.#topics
    for (const partition of changed) partition.wake()
    await this.#closeOutdated()
  }

  async #load(isCold: boolean): Promise<void> {
    const partitions = partitionsOf(this.#topics)
    for (const partition of partitions) await this.#look(() => partition.noteHorizon(isCold))
    // Whatever the journal decides was durable, and marked as visible, before it was decided.
    await this.#refreshJournal(isCold)
    for (const partition of partitions) await this.#look(() => partition.load(isCold))
  }

  #readRegistry(): Promise<Registry | undefined> {
    return readRegistry(this.#fileSystem, this.#directory)
  }

  /** The machine has started anew since, and nobody has recovered the log: watermarks may be stale. */
  #isCold({ recoveredInBoot }: Registry): boolean {
    const boot = this.#clock.boot?.()
    return boot !== undefined && recoveredInBoot !== undefined && boot.id !== recoveredInBoot
  }

  /** Reads all again, as if just opened; whoever waits for more keeps what he has until then. */
  #beginAnew(): void {
    this.#outdated.push(this.#journal, ...partitionsOf(this.#topics))
    this.#topics = new Map()
    this.#journal = this.#newJournal()
    this.#journalOffset = 0
    this.#journalState = new JournalState()
  }

  async #closeOutdated(): Promise<void> {
    const outdated = this.#outdated
    this.#outdated = []
    await Promise.all(outdated.map((partition) => partition.close()))
  }

  #newJournal(): ReadOnlyPartition {
    const place = { topicId: this.#logId, topic: JOURNAL_TOPIC, partition: 0 }
    return new ReadOnlyPartition(this.#fileSystem, place, partitionPath(this.#directory, place))
  }

  async #look(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      // Deleted between two looks: the next refresh of the topics notices.
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }

  async #noteTopics(registry: Registry): Promise<void> {
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

  async #refreshJournal(isCold: boolean): Promise<void> {
    const { log } = this.#journal
    await this.#look(() => this.#journal.load(isCold))
    // Compacted between the looks at how far it goes and at its files: the snapshot lies further on.
    if (this.#journalOffset < log.startOffset) await this.#look(() => this.#journal.load(isCold))
    this.#journal.publish(this.#journalState.decisions, new Set())
    if (log.damage !== undefined) throw log.damageError(log.damage)
    if (this.#journalOffset < log.startOffset) {
      // The owner has compacted it since: what is left starts with a snapshot.
      this.#journalOffset = log.startOffset
    }
    this.#journalOffset = await replayJournal(log, this.#journalState, this.#journalOffset)
  }

  #get(name: string): OpenTopic {
    const found = this.#shown.get(name)
    if (found !== undefined) return found
    throw topicNotFound(name, this.#shown.keys())
  }
}

function partitionsOf(topics: ReadonlyMap<string, OpenTopic>): ReadOnlyPartition[] {
  return [...topics.values()].flatMap(({ partitions }) => partitions)
}
