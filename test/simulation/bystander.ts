import { type FetchedPartition, type Log, open, type Position } from '@millrace/core'
import { type FaultRates, randomFaults } from '@millrace/core/testing'
import { DIRECTORY } from './directory.ts'
import type { ModelPartition } from './model-topic.ts'
import { promise } from './promise.ts'
import { fetchTogether, readAll } from './readers.ts'
import { partitionsThere } from './verify.ts'
import type { World } from './world.ts'
import type { Actor } from './writers.ts'

const PARTITIONS_AT_ONCE = 4

const calm: FaultRates = { short: 0, slow: 0, readEio: 0, writeEio: 0, syncEio: 0, enospc: 0 }
const weathers: readonly FaultRates[] = [
  calm,
  { ...calm, short: 10, slow: 20 },
  { ...calm, readEio: 50 },
]

/**
 * A process that has opened the log for reading only, beside its owner: it follows over rolls, retention
 * and trims, and goes on when the owner is killed and another opens the log. It may lag behind; what it
 * shows must be true all the same.
 */
export class Bystander implements Actor {
  readonly #world: World
  readonly #groups: readonly string[]
  #log: Log | undefined
  /** Where to read on, and how far it has seen. */
  readonly #positions = new Map<ModelPartition, Position>()
  readonly #latestPositions = new Map<string, number>()
  #stepping: Promise<void> = Promise.resolve()
  #hasOutlivedOwner = false

  constructor(world: World, groups: readonly string[]) {
    this.#world = world
    this.#groups = groups
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  /** One thing at a time: the step that a killed owner's life has left comes to its end first. */
  step(): Promise<void> {
    this.#stepping = this.#stepping.then(() => this.#step())
    return this.#stepping
  }

  /** The owner has been killed. */
  outlived(): void {
    this.#hasOutlivedOwner = this.#log !== undefined
  }

  /** It goes with its machine; what it was about never ends. */
  die(): void {
    this.#world.machine.killBeside()
    this.#log = undefined
    this.#stepping = Promise.resolve()
    // A watermark that the power took shows less than before.
    this.#positions.clear()
    this.#latestPositions.clear()
  }

  /** After an orderly close everything is to be seen. */
  async seesAll(): Promise<void> {
    await this.#stepping
    await this.#reopenAtTimes()
    const log = this.#log
    if (log === undefined) return
    const { random } = this.#world
    for (const partition of partitionsThere(this.#world)) {
      const isolation = random.chance(2) ? 'read_uncommitted' : 'read_committed'
      const read = await readAll(this.#world, partition, isolation, partition.startOffset, log)
      if (read === undefined) continue
      promise(
        read.last.highWatermark >= partition.idAt.length,
        () =>
          `${partition.name}: closed in order at ${partition.idAt.length}, yet beside its owner it ends at ${read.last.highWatermark}`,
      )
    }
    for (const group of this.#groups) {
      const found = await this.#world.attempt('look', () => log.readPositions(group))
      if (found.kind === 'done') this.#world.model.positions.read(group, found.value)
    }
    this.#world.tally.count('beside the owner: all seen')
  }

  async #step(): Promise<void> {
    const { random } = this.#world
    await this.#reopenAtTimes()
    if (this.#log === undefined) return
    const kind = random.integer(8)
    if (kind === 0) await this.#readPositions(this.#log)
    else if (kind === 1) await this.#listTopics(this.#log)
    else await this.#readOn(this.#log)
  }

  async #reopenAtTimes(): Promise<void> {
    const { machine, random, tally } = this.#world
    if (this.#log !== undefined && !random.chance(16)) return
    await this.#log?.close()
    this.#log = undefined
    const ports = machine.bootBeside()
    ports.fileSystem.faults = randomFaults(random, random.pick(weathers))
    const opened = await this.#world.attempt('open beside', () =>
      open(DIRECTORY, { ports, access: 'read-only' }),
    )
    if (opened.kind !== 'done') return
    this.#log = opened.value
    this.#hasOutlivedOwner = false
    tally.count('beside the owner: opened')
  }

  /** Several partitions in one look; here and there again from the start. */
  async #readOn(log: Log): Promise<void> {
    const { random, tally } = this.#world
    const partitions = partitionsThere(this.#world)
    if (partitions.length === 0) return
    const chosen = new Set<ModelPartition>()
    for (let count = PARTITIONS_AT_ONCE; count > 0; count -= 1) chosen.add(random.pick(partitions))
    const looks = [...chosen].map((partition) => ({
      partition,
      isolation: 'read_committed' as const,
      position: this.#nextPosition(partition),
    }))
    const answers = await fetchTogether(this.#world, looks, log)
    for (const { partition } of looks) this.#positions.delete(partition)
    for (const answer of answers) this.#noteAnswer(partitions, answer)
    if (answers.length === 0) return
    tally.count('beside the owner: read')
    if (this.#hasOutlivedOwner) tally.count('beside the owner: read after its end')
  }

  #nextPosition(partition: ModelPartition): Position {
    const position = this.#positions.get(partition)
    if (position === undefined || this.#world.random.chance(8)) {
      return { offset: partition.startOffset, leaderEpoch: -1 }
    }
    return position
  }

  #noteAnswer(partitions: readonly ModelPartition[], answer: FetchedPartition): void {
    const partition = partitions.find(
      ({ topic, partition: number }) => topic.name === answer.topic && number === answer.partition,
    )
    if (partition === undefined) return
    partition.mayStartAt(answer.startOffset, (batch) => this.#world.mayExpire(batch))
    const next = { offset: answer.nextOffset, leaderEpoch: answer.nextLeaderEpoch }
    this.#positions.set(partition, next)
  }

  async #readPositions(log: Log): Promise<void> {
    const group = this.#world.random.pick(this.#groups)
    const found = await this.#world.attempt('look', () => log.readPositions(group))
    if (found.kind !== 'done') return
    this.#world.model.positions.readBeside(group, found.value, this.#latestPositions)
    this.#world.tally.count('beside the owner: positions read')
  }

  async #listTopics(log: Log): Promise<void> {
    const { model } = this.#world
    const before = [...model.topics.values()].filter(({ state }) => state === 'there')
    const gone = [...model.topics.values()].filter(({ state }) => state === 'gone')
    const listed = await this.#world.attempt('look', () => log.listTopics())
    if (listed.kind !== 'done') return
    const ids = new Set(listed.value.map(({ topicId }) => topicId))
    for (const { name, id, state } of before) {
      promise(
        ids.has(id) || state !== 'there',
        () => `topic ${name} is not to be seen beside its owner`,
      )
    }
    for (const { name, id } of gone) {
      promise(!ids.has(id), () => `topic ${name}, deleted, is to be seen beside its owner`)
    }
  }
}
