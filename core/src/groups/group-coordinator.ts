import { ClosedError, UsageError } from '../errors.ts'
import type { Clock, Random, Timer } from '../io/index.ts'
import type {
  GroupDescription,
  GroupMember,
  JoinGroupRequest,
  JoinGroupResult,
  SyncGroupRequest,
} from '../log.ts'
import { Group } from './group.ts'

/** A timer this late means that the machine slept, not that everybody is gone. */
const PAUSE_MS = 1000
/** A member silent for less can't be told from one whose heartbeat is on its way. */
export const SESSION_TIMEOUT_MS_MIN = 10

/** A group's membership, without its positions. */
export type GroupMembership = Omit<GroupDescription, 'positions'>

/**
 * Who is in which group, and what each member reads. It lives in memory: after a restart of the log
 * members join again. It does no I/O and knows nothing of positions; {@link GroupCoordinator.check}
 * tells whether a member may still store some.
 */
export class GroupCoordinator {
  readonly #clock: Clock
  readonly #random: Random
  readonly #groups = new Map<string, Group>()
  #timer: Timer | undefined
  #timerDueMs = Infinity
  #isClosed = false

  constructor(ports: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = ports.clock
    this.#random = ports.random
  }

  /** @throws UsageError when the request makes no sense; RejectedError when it fits no common protocol. */
  async join(request: JoinGroupRequest): Promise<JoinGroupResult> {
    this.#expectOpen()
    if (request.group === '' || !(request.sessionTimeoutMs >= SESSION_TIMEOUT_MS_MIN)) {
      throw new UsageError(
        'USAGE',
        `A group needs a name and a session timeout of at least ${SESSION_TIMEOUT_MS_MIN} ms.`,
      )
    }
    const group = this.#groups.get(request.group) ?? this.#create(request.group)
    const memberId = `${request.protocolType}-${this.#random.uuid()}`
    const joined = group.join(request, memberId, this.#clock.monotonicMs())
    this.#arm()
    return await joined
  }

  /** @throws FencedError GENERATION_FENCED; UnavailableError when the round began anew: join again. */
  async sync(request: SyncGroupRequest): Promise<Uint8Array> {
    this.#expectOpen()
    const assignment = this.#group(request).sync(request, this.#clock.monotonicMs())
    this.#arm()
    return await assignment
  }

  /** @throws FencedError GENERATION_FENCED; UnavailableError while rebalancing: join again. */
  heartbeat(member: GroupMember): void {
    this.#expectOpen()
    this.#group(member).heartbeat(member, this.#clock.monotonicMs())
    this.#arm()
  }

  /** @throws FencedError GENERATION_FENCED when there is no such member. */
  leave(member: GroupMember): void {
    this.#expectOpen()
    this.#group(member).leave(member, this.#clock.monotonicMs())
    this.#arm()
  }

  /** @throws FencedError GENERATION_FENCED unless this is a member of the current generation. */
  check(member: GroupMember): void {
    this.#group(member).check(member)
  }

  /** Every group that ever had a member since the log was opened. */
  list(): GroupMembership[] {
    return [...this.#groups.values()].map(describe)
  }

  /** A group nobody has joined is Dead, as in Kafka. */
  describe(name: string): GroupMembership {
    const group = this.#groups.get(name)
    if (group !== undefined) return describe(group)
    return { group: name, state: 'Dead', protocol: '', members: [] }
  }

  /** Rejects all who wait with ClosedError. Idempotent. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    const closed = new ClosedError('CLOSED', 'The log was closed.')
    for (const group of this.#groups.values()) group.close(closed)
  }

  #create(name: string): Group {
    const group = new Group(name)
    this.#groups.set(name, group)
    return group
  }

  /** An unknown group fences like one without this member. */
  #group({ group: name }: GroupMember): Group {
    return this.#groups.get(name) ?? new Group(name)
  }

  /** One timer for all groups, at the earliest deadline. */
  #arm(): void {
    let dueMs = Infinity
    for (const group of this.#groups.values()) dueMs = Math.min(dueMs, group.nextDeadlineMs())
    // A heartbeat only puts deadlines off: the timer may stay and will find nothing to do.
    if (dueMs >= this.#timerDueMs) return
    this.#timer?.cancel()
    this.#timerDueMs = dueMs
    const delayMs = Math.max(0, dueMs - this.#clock.monotonicMs())
    this.#timer = this.#clock.schedule(delayMs, () => this.#onTimer(), 'background')
  }

  #onTimer(): void {
    if (this.#isClosed) return
    const nowMs = this.#clock.monotonicMs()
    const lateMs = nowMs - this.#timerDueMs
    this.#timerDueMs = Infinity
    for (const group of this.#groups.values()) {
      if (lateMs > PAUSE_MS) group.forgive(nowMs)
      group.expire(nowMs)
    }
    this.#arm()
  }

  #expectOpen(): void {
    if (this.#isClosed) throw new ClosedError('CLOSED', 'The log was closed.')
  }
}

function describe(group: Group): GroupMembership {
  const { name, state, protocol, members } = group
  return { group: name, state, protocol: state === 'Empty' ? '' : protocol, members }
}
