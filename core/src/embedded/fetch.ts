import { ClosedError, MillraceError } from '../errors.ts'
import type { Clock } from '../io/index.ts'
import type { FetchedPartition, FetchPartition, FetchRequest, FetchResult } from '../log.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { readBatches } from '../storage/read-batches.ts'
import { diverged, findDivergence } from '../transactions/positions.ts'

/** A partition that can be read and watched. */
export interface ReadablePartition {
  readonly log: PartitionLog
  onChange(wake: () => void): () => void
}

/** Where {@link fetch} finds partitions and time. */
export interface FetchContext {
  readonly clock: Clock
  /** @throws UsageError TOPIC_NOT_FOUND. */
  find(place: FetchPartition): ReadablePartition
  readonly isClosed: boolean
}

const NOTHING = new Uint8Array(0)

/** Reads what is there, or waits for more to become visible; appends wake it, it never polls. */
export async function fetch(context: FetchContext, request: FetchRequest): Promise<FetchResult> {
  const deadlineMs = context.clock.monotonicMs() + request.maxWaitMs
  for (;;) {
    if (context.isClosed) throw new ClosedError('CLOSED', 'The log was closed while fetching.')
    const watch = new Watch(context, request)
    try {
      const partitions = await readAll(context, request)
      const leftMs = deadlineMs - context.clock.monotonicMs()
      if (leftMs <= 0 || isEnough(request, partitions)) return { partitions }
      await watch.changed(leftMs)
    } finally {
      watch.stop()
    }
  }
}

function isEnough(request: FetchRequest, partitions: readonly FetchedPartition[]): boolean {
  let bytes = 0
  let hasMoved = false
  for (const [index, fetched] of partitions.entries()) {
    if (fetched.error !== undefined) return true
    bytes += fetched.batches.length
    if (fetched.nextOffset !== request.partitions[index]?.position.offset) hasMoved = true
  }
  return bytes === 0 ? hasMoved : bytes >= (request.minBytes ?? 1)
}

/** A partition to read with the limits that hold for this answer. */
interface Limits {
  readonly log: PartitionLog | undefined
  readonly limitOffset: number
  readonly error: MillraceError | undefined
}

async function readAll(context: FetchContext, request: FetchRequest): Promise<FetchedPartition[]> {
  // All limits are taken in one go: no answer shows a transaction in one partition and not in another.
  const limits = request.partitions.map((wanted) => limitsOf(context, request, wanted))
  const fetched: FetchedPartition[] = []
  let bytesLeft = request.maxBytes
  for (const [index, wanted] of request.partitions.entries()) {
    const limit = limits[index]
    if (limit === undefined) continue
    const answer = await readOne(request, wanted, limit, bytesLeft, request.maxBytes === bytesLeft)
    bytesLeft -= answer.batches.length
    fetched.push(answer)
  }
  return fetched
}

function limitsOf(context: FetchContext, request: FetchRequest, wanted: FetchPartition): Limits {
  try {
    const { log } = context.find(wanted)
    const isCommitted = request.isolation === 'read_committed'
    const limitOffset = isCommitted ? log.lastStableOffset : log.visibleOffset
    return { log, limitOffset, error: findRefusal(log, wanted, limitOffset) }
  } catch (error) {
    if (error instanceof MillraceError) return { log: undefined, limitOffset: 0, error }
    throw error
  }
}

function findRefusal(
  log: PartitionLog,
  wanted: FetchPartition,
  limitOffset: number,
): MillraceError | undefined {
  const { position, topicId } = wanted
  if (topicId !== undefined && topicId !== log.topicId) {
    return diverged(log, position, `the topic's id is ${log.topicId}, not ${topicId}`)
  }
  // Nothing more will ever come before the damage, so waiting for it would never end.
  if (log.damage !== undefined && position.offset >= limitOffset) {
    return log.damageError(log.damage)
  }
  const why = findDivergence(log, position)
  if (why !== undefined) return diverged(log, position, why)
  if (position.offset >= log.startOffset && position.offset <= log.endOffset) return undefined
  return log.outOfRange(position.offset)
}

async function readOne(
  request: FetchRequest,
  wanted: FetchPartition,
  { log, limitOffset, error }: Limits,
  bytesLeft: number,
  isFirst: boolean,
): Promise<FetchedPartition> {
  if (log === undefined || error !== undefined) return refusal(wanted, log, error)
  const maxBytes = Math.min(wanted.maxBytes, bytesLeft)
  if (maxBytes <= 0 && !isFirst) return refusal(wanted, log, undefined)
  try {
    const read = await readBatches(log, {
      offset: wanted.position.offset,
      limitOffset,
      maxBytes,
      leaveOutAborted: request.isolation === 'read_committed',
    })
    return { ...describe(wanted, log), ...read }
  } catch (cause) {
    if (cause instanceof MillraceError) return refusal(wanted, log, cause)
    throw cause
  }
}

function describe(
  wanted: FetchPartition,
  log: PartitionLog | undefined,
): Pick<
  FetchedPartition,
  'topic' | 'partition' | 'startOffset' | 'highWatermark' | 'lastStableOffset'
> {
  return {
    topic: wanted.topic,
    partition: wanted.partition,
    startOffset: log?.startOffset ?? -1,
    highWatermark: log?.visibleOffset ?? -1,
    lastStableOffset: log?.lastStableOffset ?? -1,
  }
}

/** An answer without batches: with the error, or because the answer is full already. */
function refusal(
  wanted: FetchPartition,
  log: PartitionLog | undefined,
  error: MillraceError | undefined,
): FetchedPartition {
  const nothing = {
    ...describe(wanted, log),
    batches: NOTHING,
    nextOffset: wanted.position.offset,
    nextLeaderEpoch: wanted.position.leaderEpoch,
  }
  if (error === undefined) return nothing
  return { ...nothing, error: { code: error.code, message: error.message, facts: error.facts } }
}

/** Notices changes from its making on, so that none between reading and waiting is missed. */
class Watch {
  readonly #clock: Clock
  readonly #stops: (() => void)[] = []
  #hasChanged = false
  #wake: (() => void) | undefined

  constructor(context: FetchContext, request: FetchRequest) {
    this.#clock = context.clock
    const noteChange = (): void => {
      this.#hasChanged = true
      this.#wake?.()
    }
    for (const wanted of request.partitions) {
      try {
        this.#stops.push(context.find(wanted).onChange(noteChange))
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error
        this.#hasChanged = true
      }
    }
  }

  /** Resolves after a change or after `waitMs`. */
  changed(waitMs: number): Promise<void> {
    if (this.#hasChanged) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#clock.schedule(waitMs, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }
}
