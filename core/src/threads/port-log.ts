/**
 * The log in another thread, seen from here. Open → closed (by us, or by the thread that has the log), or
 * open → broken (that thread is gone). In either end all calls fail, those under way included.
 */
import { batchMemory } from '../batch/batch-memory.ts'
import { ClosedError, FailedError } from '../errors.ts'
import type { Channel } from '../io/channel.ts'
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
import { carriedError } from './carried-error.ts'
import type { Answer, LogCall, Request } from './messages.ts'
import { tight } from './owned-bytes.ts'
import { Slabs } from './slabs.ts'

interface Pending {
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
}

/** Memory that waits for the next fetch to take it along; a reader gives back about as much as it gets. */
const RETURNED_MAX = 16

type ResultOf<C extends LogCall> = Awaited<ReturnType<Log[C]>>

export class PortLog implements Log {
  readonly #channel: Channel
  readonly #slabs = new Slabs()
  readonly #pending = new Map<number, Pending>()
  /** Memory of fetched batches that nobody here looks at any more. */
  readonly #returned: ArrayBuffer[] = []
  readonly #takeBack = (memory: ArrayBuffer): void => {
    if (this.#returned.length < RETURNED_MAX) this.#returned.push(memory)
  }
  #nextId = 0
  /** Why calls fail from now on. */
  #end: unknown

  constructor(channel: Channel) {
    this.#channel = channel
    channel.listen({
      onMessage: (message) => this.#receive(message as Answer),
      onClose: () => this.fail(threadGone()),
    })
    channel.setIdle(true)
  }

  describe(): Promise<LogDescription> {
    return this.#call('describe')
  }

  createTopic(topic: NewTopic): Promise<TopicDescription> {
    return this.#call('createTopic', topic)
  }

  describeTopic(name: string): Promise<TopicDescription> {
    return this.#call('describeTopic', name)
  }

  listTopics(): Promise<TopicDescription[]> {
    return this.#call('listTopics')
  }

  alterTopic(name: string, config: Partial<TopicConfig>): Promise<TopicDescription> {
    return this.#call('alterTopic', name, config)
  }

  addPartitions(name: string, partitions: number): Promise<TopicDescription> {
    return this.#call('addPartitions', name, partitions)
  }

  deleteTopic(name: string): Promise<void> {
    return this.#call('deleteTopic', name)
  }

  async append(request: AppendRequest): Promise<AppendResult> {
    // Copied, not moved: a producer sends the same bytes again when the log was unavailable.
    const slab = this.#slabs.take(request.batch)
    if (slab === undefined) {
      return this.#call('append', { ...request, batch: tight(request.batch) })
    }
    const result = await this.#call('append', { ...request, batch: slab })
    // After an error a write of these bytes may still be under way.
    this.#slabs.giveBack(slab)
    return result
  }

  async fetch(request: FetchRequest): Promise<FetchResult> {
    const result = await this.#call('fetch', request)
    for (const { batches } of result.partitions) batchMemory.borrow(batches, this.#takeBack)
    return result
  }

  findOffset(request: FindOffsetRequest): Promise<Position> {
    return this.#call('findOffset', request)
  }

  trim(target: TopicPartition, offset: number): Promise<number> {
    return this.#call('trim', target, offset)
  }

  initProducer(request: { readonly transactionalId?: string }): Promise<ProducerIdentity> {
    return this.#call('initProducer', request)
  }

  endTransaction(request: EndTransactionRequest): Promise<ProducerIdentity> {
    return this.#call('endTransaction', request)
  }

  commitPositions(request: CommitPositionsRequest): Promise<void> {
    return this.#call('commitPositions', request)
  }

  readPositions(group: string): Promise<StoredPosition[]> {
    return this.#call('readPositions', group)
  }

  joinGroup(request: JoinGroupRequest): Promise<JoinGroupResult> {
    return this.#call('joinGroup', request)
  }

  syncGroup(request: SyncGroupRequest): Promise<Uint8Array> {
    return this.#call('syncGroup', request)
  }

  heartbeat(member: GroupMember): Promise<void> {
    return this.#call('heartbeat', member)
  }

  leaveGroup(member: GroupMember): Promise<void> {
    return this.#call('leaveGroup', member)
  }

  listGroups(): Promise<GroupDescription[]> {
    return this.#call('listGroups')
  }

  describeGroup(group: string): Promise<GroupDescription> {
    return this.#call('describeGroup', group)
  }

  /** Ends this use of the log; the log itself stays open. Idempotent. */
  async close(): Promise<void> {
    this.fail(new ClosedError('CLOSED', 'The log was closed.'))
    this.#channel.close()
  }

  /** Ends all calls, those under way and those to come; the first reason stays. */
  fail(error: unknown): void {
    this.#end ??= error
    const failed = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of failed) reject(this.#end)
    this.#channel.setIdle(true)
  }

  #call<C extends LogCall>(call: C, ...parameters: readonly unknown[]): Promise<ResultOf<C>> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    const id = this.#nextId++
    const memory = call === 'fetch' ? this.#returned.splice(0) : []
    const request: Request = { id, call, parameters, ...(memory.length > 0 && { memory }) }
    return new Promise<ResultOf<C>>((resolve, reject) => {
      this.#channel.post(request, memory)
      if (this.#pending.size === 0) this.#channel.setIdle(false)
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject })
    })
  }

  #receive(answer: Answer): void {
    if ('ended' in answer) return this.fail(carriedError(answer.ended))
    const pending = this.#pending.get(answer.id)
    if (pending === undefined) return
    this.#pending.delete(answer.id)
    if (this.#pending.size === 0) this.#channel.setIdle(true)
    if ('error' in answer) pending.reject(carriedError(answer.error))
    else pending.resolve(answer.result as never)
  }
}

function threadGone(): FailedError {
  return new FailedError(
    'LOG_FAILED',
    'The thread that has the log open is gone. What was acknowledged is safe; whether the rest was ' +
      'written shows when the log is opened again.',
  )
}
