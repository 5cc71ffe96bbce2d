/**
 * A consumer's place in its group. Its states:
 *
 * - outside: not a member; `join` makes it one.
 * - inside: a member, kept alive by heartbeats, whatever the consumer's body does meanwhile.
 * - summoned: a member that was told to join again. Its partitions are still its own, until the
 *   rebalance timeout; it joins when the batch in hand is done with.
 * - expelled: the group went on without it; its partitions belong to others. `join` starts over.
 * - left: for good.
 */
import { FencedError, MillraceError, UnavailableError } from '../errors.ts'
import { type Clock, sleep, type Timer } from '../io/index.ts'
import type { GroupMember, JoinGroupResult, Log } from '../log.ts'
import type { TopicPartition } from '../record.ts'
import { assignSticky } from './assignor.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  PROTOCOL_NAME,
  PROTOCOL_TYPE,
} from './protocol.ts'

/** How a member takes part. */
export interface MembershipSettings {
  readonly group: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly heartbeatMs: number
}

/** What a member tells its consumer. */
export interface MembershipEvents {
  /** Its partitions are others' from now on. */
  readonly onExpelled: () => void
  /** It must join, or its membership has failed. */
  readonly onChange: () => void
}

type State = 'outside' | 'inside' | 'summoned' | 'expelled' | 'left'

const REJOIN_BACKOFF_MS = 20
/** The leader looks this often, in heartbeats, whether topics have got more partitions. */
const BEATS_PER_CHECK = 3

export class Membership {
  readonly #log: Log
  readonly #clock: Clock
  readonly #settings: MembershipSettings
  readonly #events: MembershipEvents
  #state: State = 'outside'
  #member: GroupMember | undefined
  #timer: Timer | undefined
  #beats = 0
  /** As leader: the partition counts that the assignment was made of. */
  #plannedCounts: ReadonlyMap<string, number> | undefined
  /** Why membership has ended, when not by leaving. */
  failure: unknown

  constructor(log: Log, clock: Clock, settings: MembershipSettings, events: MembershipEvents) {
    this.#log = log
    this.#clock = clock
    this.#settings = settings
    this.#events = events
  }

  /** Who we are; undefined when the group does not know us. */
  get member(): GroupMember | undefined {
    return this.#member
  }

  get mustJoin(): boolean {
    return this.#state !== 'inside' && this.#state !== 'left'
  }

  /** Somebody else found out that we are no member any more. */
  expel(): void {
    if (this.#state === 'left') return
    this.#state = 'expelled'
    this.#member = undefined
    this.#timer?.cancel()
    this.#events.onExpelled()
    this.#events.onChange()
  }

  /** Joins, or joins again, and resolves with what to read; undefined when it was left meanwhile. */
  async join(owned: readonly TopicPartition[]): Promise<TopicPartition[] | undefined> {
    while (this.#state !== 'left') {
      try {
        return await this.#takePart(this.#member === undefined ? [] : owned)
      } catch (error) {
        if (error instanceof FencedError) this.expel()
        else if (!(error instanceof UnavailableError)) throw error
        await sleep(this.#clock, REJOIN_BACKOFF_MS)
      }
    }
    return undefined
  }

  /** Leaves, so that others need not wait for the session to time out. */
  async leave(): Promise<void> {
    const member = this.#member
    this.#state = 'left'
    this.#member = undefined
    this.#timer?.cancel()
    if (member === undefined) return
    try {
      await this.#log.leaveGroup(member)
    } catch (error) {
      // Gone is gone, whoever did it.
      if (!(error instanceof MillraceError)) throw error
    }
  }

  async #takePart(owned: readonly TopicPartition[]): Promise<TopicPartition[] | undefined> {
    const { group, topics, sessionTimeoutMs, rebalanceTimeoutMs } = this.#settings
    const joined = await this.#log.joinGroup({
      group,
      memberId: this.#member?.memberId ?? '',
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocolType: PROTOCOL_TYPE,
      protocols: [{ name: PROTOCOL_NAME, metadata: encodeSubscription({ topics, owned }) }],
    })
    const { memberId, generation } = joined
    if (this.#isLeft()) return await this.#leaveAgain({ group, memberId, generation })
    this.#member = { group, memberId, generation }
    // From here on, for the leader may take its time and a session must not run out meanwhile.
    this.#state = 'inside'
    this.#scheduleHeartbeat()
    const assignments = joined.leaderId === memberId ? await this.#plan(joined) : []
    const mine = await this.#log.syncGroup({ group, memberId, generation, assignments })
    return decodeAssignment(mine)
  }

  #isLeft(): boolean {
    return this.#state === 'left'
  }

  async #leaveAgain(member: GroupMember): Promise<undefined> {
    this.#member = member
    await this.leave()
    return undefined
  }

  async #plan(
    joined: JoinGroupResult,
  ): Promise<{ readonly memberId: string; readonly assignment: Uint8Array }[]> {
    const subscribers = joined.members.map(({ memberId, metadata }) => ({
      memberId,
      ...decodeSubscription(metadata),
    }))
    const topics = new Set(subscribers.flatMap(({ topics: wanted }) => [...wanted]))
    const counts = await this.#partitionCounts(topics)
    this.#plannedCounts = counts
    return [...assignSticky(subscribers, counts)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment(partitions),
    }))
  }

  async #partitionCounts(topics: Iterable<string>): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (const name of topics) {
      try {
        counts.set(name, (await this.#log.describeTopic(name)).partitions.length)
      } catch (error) {
        // A topic that is gone has no partitions; its readers will be told when they read.
        if (!(error instanceof MillraceError) || error.code !== 'TOPIC_NOT_FOUND') throw error
      }
    }
    return counts
  }

  #scheduleHeartbeat(): void {
    this.#timer?.cancel()
    const { heartbeatMs } = this.#settings
    this.#timer = this.#clock.schedule(heartbeatMs, () => void this.#beat())
  }

  async #beat(): Promise<void> {
    const member = this.#member
    if (member === undefined) return
    try {
      await this.#log.heartbeat(member)
      if (member === this.#member && (await this.#hasNewPartitions())) this.#summon()
    } catch (error) {
      this.#onBeatFailed(member, error)
    }
    if (member === this.#member && this.failure === undefined) this.#scheduleHeartbeat()
  }

  #onBeatFailed(member: GroupMember, error: unknown): void {
    // An answer to what we no longer are says nothing about what we are.
    if (member !== this.#member) return
    if (error instanceof UnavailableError) this.#summon()
    else if (error instanceof FencedError) this.expel()
    else {
      this.failure = error
      this.#events.onChange()
    }
  }

  #summon(): void {
    if (this.#state !== 'inside') return
    this.#state = 'summoned'
    this.#events.onChange()
  }

  async #hasNewPartitions(): Promise<boolean> {
    const planned = this.#plannedCounts
    if (planned === undefined || ++this.#beats % BEATS_PER_CHECK !== 0) return false
    const counts = await this.#partitionCounts(planned.keys())
    return [...counts].some(([topic, count]) => count !== planned.get(topic))
  }
}
