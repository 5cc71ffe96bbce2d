import { type AppendRequest, type AppendResult, type Log, MillraceError } from '@millrace/core'
import { type Clock, sleep } from '@millrace/core/io'

const PAUSE_MS = 250
const WAIT_MS_MAX = 600_000

/** What a {@link patientLog} waits with. */
export interface Patience {
  readonly clock: Clock
  /** Ends the waiting. */
  readonly signal: AbortSignal
  /** Told when the waiting begins and ends. */
  readonly notice: (message: string) => void
}

/**
 * The same log, whose writes wait while its disk is full, for ten minutes at most: what is refused for
 * want of room has left no trace, so it is tried again until there is some.
 */
export function patientLog(log: Log, patience: Patience): Log {
  const room = new Room(patience)
  const appends = new OrderedAppends(log, room)
  return {
    append: (request) => appends.append(request),
    createTopic: (topic) => room.wait(() => log.createTopic(topic)),
    trim: (target, offset) => room.wait(() => log.trim(target, offset)),
    initProducer: (request) => room.wait(() => log.initProducer(request)),
    endTransaction: (request) => room.wait(() => log.endTransaction(request)),
    commitPositions: (request) => room.wait(() => log.commitPositions(request)),
    alterTopic: (name, config) => room.wait(() => log.alterTopic(name, config)),
    addPartitions: (name, partitions) => room.wait(() => log.addPartitions(name, partitions)),
    deleteTopic: (name) => room.wait(() => log.deleteTopic(name)),
    describe: () => log.describe(),
    describeTopic: (name) => log.describeTopic(name),
    listTopics: () => log.listTopics(),
    fetch: (request) => log.fetch(request),
    findOffset: (request) => log.findOffset(request),
    readPositions: (group) => log.readPositions(group),
    joinGroup: (request) => log.joinGroup(request),
    syncGroup: (request) => log.syncGroup(request),
    heartbeat: (member) => log.heartbeat(member),
    leaveGroup: (member) => log.leaveGroup(member),
    listGroups: () => log.listGroups(),
    describeGroup: (group) => log.describeGroup(group),
    close: () => log.close(),
  }
}

/** Whether there is room. States: room → full (since when) → room. */
class Room {
  readonly #patience: Patience
  #fullSinceMs: number | undefined

  constructor(patience: Patience) {
    this.#patience = patience
  }

  /** Makes the call until it does not fail for want of room, or no more can be waited. */
  async wait<Result>(call: () => Promise<Result>): Promise<Result> {
    let wasRefused = false
    for (;;) {
      try {
        const result = await call()
        // That a smaller write fits says nothing to who waits.
        if (wasRefused && this.#fullSinceMs !== undefined) this.#noteRoom()
        return result
      } catch (error) {
        if (!isFull(error) || !this.#mayWait(error)) throw error
        wasRefused = true
        await sleep(this.#patience.clock, PAUSE_MS)
      }
    }
  }

  #noteRoom(): void {
    this.#fullSinceMs = undefined
    this.#patience.notice('The disk has room again: the run goes on.')
  }

  #mayWait(error: MillraceError): boolean {
    const { clock, signal, notice } = this.#patience
    if (signal.aborted) return false
    if (this.#fullSinceMs === undefined) {
      this.#fullSinceMs = clock.monotonicMs()
      notice(`${error.message} The run waits for room, ${WAIT_MS_MAX / 60_000} minutes at most.`)
    }
    return clock.monotonicMs() - this.#fullSinceMs < WAIT_MS_MAX
  }
}

/**
 * Appends that keep their order through a refusal: the next batch of a producer is refused too, as out
 * of order, when the one before it found no room.
 */
class OrderedAppends {
  readonly #log: Log
  readonly #room: Room
  /** The last append of each partition that has not ended. */
  readonly #last = new Map<string, Promise<unknown>>()

  constructor(log: Log, room: Room) {
    this.#log = log
    this.#room = room
  }

  append(request: AppendRequest): Promise<AppendResult> {
    const place = `${request.topic}-${request.partition}`
    const appending = this.#append(request, this.#last.get(place))
    const ended = appending.then(
      () => {},
      () => {},
    )
    this.#last.set(place, ended)
    void ended.then(() => {
      if (this.#last.get(place) === ended) this.#last.delete(place)
    })
    return appending
  }

  async #append(
    request: AppendRequest,
    before: Promise<unknown> | undefined,
  ): Promise<AppendResult> {
    try {
      return await this.#log.append(request)
    } catch (error) {
      const isBehind = isOutOfOrder(error) && before !== undefined
      if (!isFull(error) && !isBehind) throw error
      await before
      return this.#room.wait(() => this.#log.append(request))
    }
  }
}

function isFull(error: unknown): error is MillraceError {
  return error instanceof MillraceError && error.code === 'DISK_FULL'
}

function isOutOfOrder(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'OUT_OF_ORDER_SEQUENCE'
}
