import type { Compression, TopicDescription } from '../log.ts'
import { checkArgument, required, text } from '../options/index.ts'
import type { PartitionQueue, QueueSettings } from './partition-queue.ts'
import type { PendingBatch } from './pending-batch.ts'
import { TopicQueues } from './topic-queues.ts'

/** How old the description of a topic may grow, so that partitions added are found in time. */
const DESCRIPTION_AGE_MS_MAX = 30_000

/** What a producer knows of the topics it sends to. */
export class KnownTopics {
  readonly #describe: (name: string) => Promise<TopicDescription>
  readonly #compression: Compression | undefined
  readonly #settings: QueueSettings
  readonly #topics = new Map<string, TopicQueues>()
  readonly #openings = new Map<string, Promise<TopicQueues>>()
  #latest: TopicQueues | undefined

  constructor(
    describe: (name: string) => Promise<TopicDescription>,
    compression: Compression | undefined,
    settings: QueueSettings,
  ) {
    this.#describe = describe
    this.#compression = compression
    this.#settings = settings
  }

  /** The topic, if it is known. Most records go where the one before went. */
  find(name: string): TopicQueues | undefined {
    if (this.#latest?.topic !== name) this.#latest = this.#topics.get(name)
    return this.#latest
  }

  /** The topic, once the log has described it. */
  open(name: string): Promise<TopicQueues> {
    let opening = this.#openings.get(name)
    if (opening === undefined) {
      opening = this.#make(name)
      this.#openings.set(name, opening)
      opening.catch(() => this.#openings.delete(name))
    }
    return opening
  }

  /** Looks for what has changed in a topic. */
  async refresh(topic: TopicQueues): Promise<void> {
    topic.refresh(await this.#settings.log.describeTopic(topic.topic))
  }

  /** Refreshes the topic of a new batch when that is due. */
  refreshIfOld({ topic: name, createdMs }: PendingBatch): void {
    const topic = this.find(name)
    if (topic === undefined || createdMs - topic.describedMs < DESCRIPTION_AGE_MS_MAX) return
    topic.describedMs = createdMs
    // Nobody waits for it: what is wrong with the topic, its appends will tell.
    this.refresh(topic).catch(() => undefined)
  }

  *queues(): Generator<PartitionQueue> {
    for (const topic of this.#topics.values()) yield* topic.queues
  }

  /** Everything that is not under way fails with `error`, and all that follows. */
  stop(error: unknown): void {
    for (const queue of this.queues()) queue.discard(error, true)
  }

  async #make(name: string): Promise<TopicQueues> {
    checkArgument('A producer', 'the topic of a record', name, required(text))
    const topic = new TopicQueues(await this.#describe(name), this.#compression, this.#settings)
    this.#topics.set(name, topic)
    return topic
  }
}
