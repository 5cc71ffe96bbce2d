import type { NewTopic, TopicConfig } from '@millrace/core'
import { ModelTopic } from './model-topic.ts'
import { topicThere, type World } from './world.ts'
import type { Actor } from './writers.ts'

const HOUR_MS = 3_600_000

/** The topics of every life: records kept for ever, by age, by size, not synced
 * before they are acknowledged, never synced at all, and a topic that comes and goes. */
const topics = {
  kept: { retentionMs: -1, retentionBytes: -1, segmentMs: 7 * 24 * HOUR_MS },
  aged: { retentionMs: HOUR_MS, retentionBytes: -1, segmentMs: HOUR_MS / 2 },
  sized: { retentionMs: -1, retentionBytes: 6000, segmentMs: 7 * 24 * HOUR_MS },
  written: { durability: 'os', retentionMs: -1, retentionBytes: -1, segmentMs: 7 * 24 * HOUR_MS },
  fleeting: { durability: 'memory', retentionMs: -1, retentionBytes: 6000, segmentMs: HOUR_MS },
  passing: { retentionMs: -1, retentionBytes: -1, segmentMs: HOUR_MS },
} as const

type TopicName = keyof typeof topics

/** Makes, changes, trims and deletes topics, and lets time pass. */
export class Administrator implements Actor {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** Makes the topics that are not there yet. */
  async start(): Promise<void> {
    for (const name of ['kept', 'aged', 'sized', 'written', 'fleeting'] as const) {
      if (!topicThere(this.#world.model, name)) await this.#create(name)
    }
  }

  async step(): Promise<void> {
    const { random } = this.#world
    const kind = random.integer(12)
    if (kind < 3) await this.#trim()
    else if (kind < 6) this.#passTime()
    else if (kind === 6) this.#jump()
    else if (kind < 9) await this.#comeOrGo()
    else if (kind === 9) await this.#addPartition()
    else await this.#alter()
  }

  async #create(name: TopicName): Promise<void> {
    const { log, model, random, tally } = this.#world
    const config: TopicConfig = {
      durability: 'fsync',
      segmentBytes: 1500 + random.integer(4) * 1000,
      cleanup: 'delete',
      compression: 'none',
      maxMessageBytes: 4096,
      ...topics[name],
    }
    const request: NewTopic = { name, partitions: 1 + random.integer(2), config }
    const topic = new ModelTopic(model, name, request.partitions ?? 1, config)
    model.topics.set(name, topic)
    const outcome = await this.#world.attempt('create topic', () => log.createTopic(request))
    if (outcome.kind === 'refused') model.topics.delete(name)
    if (outcome.kind !== 'done') return
    topic.state = 'there'
    topic.id = outcome.value.topicId
    tally.count('topic created')
    tally.count('partition', topic.partitions.length)
  }

  async #comeOrGo(): Promise<void> {
    const { log, model, tally } = this.#world
    const topic = topicThere(model, 'passing')
    if (topic === undefined) {
      const state = model.topics.get('passing')?.state
      if (state === undefined || state === 'gone') await this.#create('passing')
      return
    }
    topic.state = 'deleting'
    const outcome = await this.#world.attempt('delete topic', () => log.deleteTopic('passing'))
    if (outcome.kind === 'refused') topic.state = 'there'
    if (outcome.kind !== 'done') return
    topic.state = 'gone'
    tally.count('topic deleted')
  }

  async #addPartition(): Promise<void> {
    const { log, model, random, tally } = this.#world
    const topic = topicThere(model, random.pick(['kept', 'aged', 'passing']))
    if (topic === undefined || topic.partitions.length > 3) return
    topic.partitionsAsked = topic.partitions.length + 1
    const asked = topic.partitionsAsked
    const outcome = await this.#world.attempt('add partitions', () =>
      log.addPartitions(topic.name, asked),
    )
    if (outcome.kind === 'refused') topic.partitionsAsked = 0
    if (outcome.kind !== 'done') return
    topic.partitionsAsked = 0
    topic.grow(asked)
    tally.count('partitions added')
    tally.count('partition')
  }

  async #alter(): Promise<void> {
    const { log, model, random } = this.#world
    const topic = topicThere(model, random.pick(['kept', 'aged']))
    if (topic === undefined) return
    const maxMessageBytes = 4096 + random.integer(1000)
    const { maxMessageBytes: _, ...others } = topic.config
    topic.config = others
    const outcome = await this.#world.attempt('alter topic', () =>
      log.alterTopic(topic.name, { maxMessageBytes }),
    )
    if (outcome.kind === 'done') topic.config = { ...topic.config, maxMessageBytes }
  }

  async #trim(): Promise<void> {
    const { log, random, tally } = this.#world
    const partition = this.#world.somePartition()
    if (partition === undefined) return
    const length = partition.idAt.length - partition.startOffset
    if (length < 2) return
    const offset = partition.startOffset + random.integer(Math.ceil(length / 2))
    partition.trimRequested = Math.max(partition.trimRequested, offset)
    const target = { topic: partition.topic.name, partition: partition.partition }
    const outcome = await this.#world.attempt('trim', () => log.trim(target, offset))
    if (outcome.kind !== 'done') return
    partition.startsAt(Math.max(partition.startOffset, outcome.value), (batch) =>
      this.#world.mayExpire(batch),
    )
    tally.count('trim')
  }

  #passTime(): void {
    this.#world.pass(this.#world.random.integer(HOUR_MS / 3))
  }

  #jump(): void {
    this.#world.tally.count('clock jump')
    const { random } = this.#world
    const yearMs = random.chance(4) ? (random.integer(3) - 1) * 365 * 24 * HOUR_MS : 0
    this.#world.setClock((random.integer(4) - 2) * (HOUR_MS / 4) + yearMs)
  }
}
