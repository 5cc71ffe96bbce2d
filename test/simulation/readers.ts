import type { FetchedPartition, Log, Position } from '@millrace/core'
import type { ModelPartition, ModelTransaction, SentBatch } from './model-topic.ts'
import { promise } from './promise.ts'
import type { World } from './world.ts'
import type { Actor } from './writers.ts'

type Isolation = 'read_uncommitted' | 'read_committed'

/** What to read of a partition, and by whom. */
export interface Look {
  readonly partition: ModelPartition
  readonly position: Position
  readonly isolation: Isolation
  readonly maxBytes?: number
  /** Another one than the owner's. */
  readonly log?: Log
}

/** Reads one partition once; undefined when nothing can be said about the answer. */
export async function fetchOnce(world: World, look: Look): Promise<FetchedPartition | undefined> {
  const { partition, position, isolation, maxBytes = 4096, log = world.log } = look
  world.tally.count('fetch')
  const outcome = await world.attempt('fetch', () =>
    log.fetch({
      isolation,
      maxWaitMs: 0,
      maxBytes,
      partitions: [{ ...placeOf(partition), position, maxBytes }],
    }),
  )
  if (outcome.kind !== 'done') return undefined
  const fetched = outcome.value.partitions[0]
  const batches = compare(world, look, fetched)
  return batches === undefined ? undefined : fetched
}

/**
 * Reads several partitions at once, as only a process beside the owner or a careful reader does: of a
 * transaction they show all or nothing.
 *
 * @returns Where to go on in each partition that answered.
 */
export async function fetchTogether(
  world: World,
  looks: readonly Look[],
  log: Log,
): Promise<FetchedPartition[]> {
  const isolation = 'read_committed'
  const partitions = looks.map(({ partition, position, maxBytes = 4096 }) => ({
    ...placeOf(partition),
    position,
    maxBytes,
  }))
  world.tally.count('fetch')
  const request = { isolation, maxWaitMs: 0, maxBytes: 65_536, partitions } as const
  const outcome = await world.attempt('fetch together', () => log.fetch(request))
  if (outcome.kind !== 'done') return []
  const answers = new Map<ModelPartition, FetchedPartition>()
  const transactions = new Set<ModelTransaction>()
  for (const [index, look] of looks.entries()) {
    const fetched = outcome.value.partitions[index]
    const batches = compare(world, look, fetched)
    if (batches === undefined || fetched === undefined) continue
    answers.set(look.partition, fetched)
    for (const { transaction } of batches) if (transaction) transactions.add(transaction)
  }
  for (const transaction of transactions) wholeIn(world, transaction, answers)
  return [...answers.values()]
}

function placeOf({ topic, partition }: ModelPartition): {
  topic: string
  topicId: string
  partition: number
} {
  return { topic: topic.name, topicId: topic.id, partition }
}

/** What was seen of a transaction in one partition must be decided in all others of the same answer. */
function wholeIn(
  world: World,
  transaction: ModelTransaction,
  answers: ReadonlyMap<ModelPartition, FetchedPartition>,
): void {
  for (const { partition, baseOffset } of transaction.batches) {
    const answer = answers.get(partition)
    if (answer === undefined || partition.topic.state !== 'there') continue
    if (baseOffset < Math.max(answer.lastStableOffset, answer.startOffset)) continue
    // Another transaction, still open, may stand before it.
    const waitsFor = world.model.batchOf(partition.idAt[answer.lastStableOffset])?.transaction
    const isHeldBack = answer.lastStableOffset < answer.highWatermark && waitsFor !== transaction
    promise(
      isHeldBack,
      () =>
        `${transaction.name} is to be seen, but not in ${partition.name} at ${baseOffset}: stable up to ${answer.lastStableOffset} of ${answer.highWatermark}, where ${waitsFor?.name} begins`,
    )
  }
  world.tally.count('transaction seen whole')
}

/** Compares an answer with the model; undefined when nothing can be said about it. */
function compare(
  world: World,
  { partition, position, isolation, log }: Look,
  fetched: FetchedPartition | undefined,
): ReadonlySet<SentBatch> | undefined {
  promise(fetched !== undefined, () => `${partition.name}: a fetch answered nothing`)
  if (fetched.error === undefined) {
    return world.model.read(partition, position.offset, isolation, fetched)
  }
  if (world.corruptAnswers !== undefined && fetched.error.code === 'CORRUPT_DATA') {
    world.corruptAnswers += 1
    return undefined
  }
  const isGone =
    partition.topic.state !== 'there' && isOneOf(fetched.error.code, 'TOPIC_NOT_FOUND', 'CLOSED')
  const isTrimmed =
    fetched.error.code === 'OFFSET_OUT_OF_RANGE' && position.offset < fetched.startOffset
  // Readers of a topic that is only written may have seen what a power loss then took.
  const isLost =
    partition.topic.config.durability !== 'fsync' &&
    isOneOf(fetched.error.code, 'POSITION_DIVERGED', 'OFFSET_OUT_OF_RANGE')
  // Whoever reads beside the owner may not see as much yet as is known already.
  const isBehind =
    log !== undefined &&
    fetched.error.code === 'OFFSET_OUT_OF_RANGE' &&
    position.offset > fetched.highWatermark
  // A read that the disk refuses is an error for that range, and says nothing about the log.
  const isReadError = /EIO/.test(JSON.stringify(fetched.error))
  promise(
    isGone || isTrimmed || isLost || isBehind || isReadError || world.budget <= 0,
    () =>
      `${partition.name}: fetch at ${JSON.stringify(position)}: ${fetched.error?.code} ${fetched.error?.message}`,
  )
  return undefined
}

function isOneOf(code: string, ...codes: readonly string[]): boolean {
  return codes.includes(code)
}

/** Reads everything of a partition and compares it; resolves with the last answer. */
export async function readAll(
  world: World,
  partition: ModelPartition,
  isolation: Isolation,
  startOffset: number,
  log = world.log,
): Promise<{ last: FetchedPartition; batches: Uint8Array[] } | undefined> {
  let position: Position = { offset: startOffset, leaderEpoch: -1 }
  const batches: Uint8Array[] = []
  for (;;) {
    const fetched = await fetchOnce(world, {
      partition,
      position,
      isolation,
      maxBytes: 16_384,
      log,
    })
    if (fetched === undefined) return undefined
    if (fetched.batches.length > 0) batches.push(fetched.batches)
    const end = isolation === 'read_committed' ? fetched.lastStableOffset : fetched.highWatermark
    if (fetched.nextOffset >= end) return { last: fetched, batches }
    promise(
      fetched.nextOffset > position.offset,
      () => `${partition.name}: a fetch at ${position.offset} moves nowhere, the end is ${end}`,
    )
    position = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
  }
}

/** Reads on from where it stopped, over crashes too, and here and there in between. */
export class Reader implements Actor {
  readonly #world: World
  readonly #positions = new Map<ModelPartition, Position>()

  constructor(world: World) {
    this.#world = world
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  async step(): Promise<void> {
    const { random } = this.#world
    const partition = this.#world.somePartition()
    if (partition === undefined) return
    const kind = random.integer(3)
    if (kind === 0) await this.#readOn(partition)
    else if (kind === 1) await this.#readSomewhere(partition)
    else await lookUpTime(this.#world, partition)
  }

  async #readOn(partition: ModelPartition): Promise<void> {
    const position = this.#positions.get(partition) ?? {
      offset: partition.startOffset,
      leaderEpoch: -1,
    }
    const fetched = await fetchOnce(this.#world, {
      partition,
      position,
      isolation: 'read_committed',
    })
    if (fetched === undefined) this.#positions.delete(partition)
    else {
      const next = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
      this.#positions.set(partition, next)
    }
  }

  async #readSomewhere(partition: ModelPartition): Promise<void> {
    const end = partition.idAt.length
    const offset =
      partition.startOffset + this.#world.random.integer(Math.max(1, end - partition.startOffset))
    const isolation = this.#world.random.chance(2) ? 'read_uncommitted' : 'read_committed'
    await fetchOnce(this.#world, { partition, position: { offset, leaderEpoch: -1 }, isolation })
  }
}

/** Looks up a time and compares with a search through all records known. */
export async function lookUpTime(world: World, partition: ModelPartition): Promise<void> {
  const { log, model, tally } = world
  const sample = world.random.pick(partition.sent.length > 0 ? partition.sent : [undefined])
  if (sample === undefined) return
  const timestampMs = sample.timestampMs + world.random.integer(3) - 1
  const target = { topic: partition.topic.name, partition: partition.partition }
  const endBefore = partition.idAt.length
  const outcome = await world.attempt('time lookup', () =>
    log.findOffset({ ...target, at: { timestampMs }, isolation: 'read_uncommitted' }),
  )
  if (outcome.kind !== 'done') return
  tally.count('time lookup')
  const found = outcome.value.offset
  const before = partition.idAt.findIndex(
    (id, offset) =>
      offset >= partition.startOffset &&
      offset < found &&
      (model.batchOf(id)?.timestampMs ?? -1) >= timestampMs,
  )
  // Retention may have moved the start since the model last heard of it: only records that are still
  // there can be found, so what counts is that none is passed over.
  const start = before < 0 ? 0 : ((await startOf(world, partition)) ?? Number.POSITIVE_INFINITY)
  promise(
    before < 0 || before < start,
    () =>
      `${partition.name}: the first record at or after ${timestampMs} is at ${before}, the log says ${found}`,
  )
  const at = model.batchOf(partition.idAt[found])
  promise(
    at === undefined || found >= endBefore || at.timestampMs >= timestampMs,
    () =>
      `${partition.name}: offset ${found} is said to be at or after ${timestampMs}, it is of ${at?.timestampMs}`,
  )
}

async function startOf(
  world: World,
  { topic, partition }: ModelPartition,
): Promise<number | undefined> {
  const outcome = await world.attempt('describe', () =>
    world.log.findOffset({ topic: topic.name, partition, at: 'earliest' }),
  )
  return outcome.kind === 'done' ? outcome.value.offset : undefined
}

/** Stores positions outside transactions and reads them back. */
export class PositionKeeper implements Actor {
  readonly #world: World
  readonly group: string

  constructor(world: World, group: string) {
    this.#world = world
    this.group = group
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  async step(): Promise<void> {
    const { log, model, tally } = this.#world
    if (this.#world.random.chance(4)) {
      const found = await this.#world.attempt('read positions', () => log.readPositions(this.group))
      if (found.kind === 'done') model.positions.read(this.group, found.value)
      return
    }
    const stored = this.#world.somePosition()
    if (stored === undefined) return
    model.positions.send(this.group, stored)
    const outcome = await this.#world.attempt('commit positions', () =>
      log.commitPositions({ group: this.group, positions: [stored] }),
    )
    if (outcome.kind === 'refused') model.positions.refused(this.group, stored)
    if (outcome.kind !== 'done') return
    model.positions.stored(this.group, stored)
    tally.count('position stored')
  }
}
