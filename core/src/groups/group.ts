/**
 * One group's membership, as in Kafka's classic protocol. Its states:
 *
 * - Empty: no members.
 * - PreparingRebalance: a round is open. Members that are known must join again, until all have or the
 *   rebalance timeout has passed; whoever has not is removed. Then the round closes: → CompletingRebalance.
 * - CompletingRebalance: everybody knows the new generation and waits for the leader's assignment. It
 *   comes → Stable; somebody joins, leaves or expires → PreparingRebalance.
 * - Stable: everybody has an assignment. Somebody joins, leaves or expires → PreparingRebalance.
 *
 * From each state the last member's going leads to Empty.
 */
import { FencedError, invariant, RejectedError, UnavailableError } from '../errors.ts'
import type { GroupMember, JoinGroupRequest, JoinGroupResult, SyncGroupRequest } from '../log.ts'

/** What the group is doing; Kafka's names. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

interface Member {
  readonly memberId: string
  request: JoinGroupRequest
  /** Monotonic; passing it means the member is gone. Not looked at while it waits for us. */
  deadlineMs: number
  join: PromiseWithResolvers<JoinGroupResult> | undefined
  sync: PromiseWithResolvers<Uint8Array> | undefined
  hasSynced: boolean
  assignment: Uint8Array
}

const NO_ASSIGNMENT = new Uint8Array(0)

export class Group {
  readonly name: string
  state: GroupState = 'Empty'
  protocol = ''

  readonly #members = new Map<string, Member>()
  #generation = 0
  #leaderId = ''
  /** Monotonic; when the open round closes without the missing. */
  #roundDeadlineMs = Infinity

  constructor(name: string) {
    this.name = name
  }

  get members(): { readonly memberId: string; readonly assignment: Uint8Array }[] {
    return [...this.#members.values()].map(({ memberId, assignment }) => ({ memberId, assignment }))
  }

  /** Enters or re-enters; resolves when the round closes. `memberId` is for a newcomer. */
  join(request: JoinGroupRequest, newMemberId: string, nowMs: number): Promise<JoinGroupResult> {
    const known = this.#members.get(request.memberId)
    if (request.memberId !== '' && known === undefined) throw this.#unknown(request.memberId)
    this.#expectCommonProtocol(request, known)
    if (known !== undefined && this.#isRepeat(known, request)) {
      this.#keepAlive(known, nowMs)
      return Promise.resolve(this.#joined(known))
    }
    const member = known ?? this.#add(request, newMemberId)
    member.request = request
    member.join?.reject(this.#rebalancing())
    member.join = Promise.withResolvers<JoinGroupResult>()
    const { promise } = member.join
    this.#openRound(nowMs)
    this.#closeRoundIfComplete(nowMs)
    return promise
  }

  /** Gives a member its assignment, as soon as the leader has brought it. */
  sync(request: SyncGroupRequest, nowMs: number): Promise<Uint8Array> {
    const member = this.check(request)
    this.#keepAlive(member, nowMs)
    if (this.state === 'Stable') return Promise.resolve(member.assignment)
    if (this.state !== 'CompletingRebalance') throw this.#rebalancing()
    member.hasSynced = true
    member.sync?.reject(this.#rebalancing())
    member.sync = Promise.withResolvers<Uint8Array>()
    const { promise } = member.sync
    if (member.memberId === this.#leaderId) this.#distribute(request, nowMs)
    return promise
  }

  /** @throws FencedError GENERATION_FENCED; UnavailableError when the member has to join again. */
  heartbeat(sender: GroupMember, nowMs: number): void {
    const member = this.check(sender)
    this.#keepAlive(member, nowMs)
    if (this.state === 'PreparingRebalance') throw this.#rebalancing()
  }

  leave({ memberId }: GroupMember, nowMs: number): void {
    const member = this.#members.get(memberId)
    if (member === undefined) throw this.#unknown(memberId)
    this.#remove([member], nowMs)
  }

  /** @throws FencedError GENERATION_FENCED unless this is a member of the current generation. */
  check({ memberId, generation }: GroupMember): Member {
    const member = this.#members.get(memberId)
    if (member === undefined) throw this.#unknown(memberId)
    if (generation === this.#generation) return member
    throw new FencedError(
      'GENERATION_FENCED',
      `Member ${memberId} of group "${this.name}" is of generation ${generation}, and the group is at ` +
        `${this.#generation}: its partitions have gone to others. Join again.`,
      { facts: { group: this.name, memberId, generation, currentGeneration: this.#generation } },
    )
  }

  /** Monotonic time at which {@link Group.expire} will have something to do; Infinity: never. */
  nextDeadlineMs(): number {
    let earliestMs = this.#roundDeadlineMs
    for (const member of this.#members.values()) {
      if (!isWaiting(member)) earliestMs = Math.min(earliestMs, member.deadlineMs)
    }
    return earliestMs
  }

  /** Removes the members that have not been heard of for too long. */
  expire(nowMs: number): void {
    const isRoundOver = this.#roundDeadlineMs <= nowMs
    const gone = [...this.#members.values()].filter((member) => {
      if (isWaiting(member)) return false
      if (member.deadlineMs <= nowMs) return true
      if (!isRoundOver) return false
      return this.state === 'PreparingRebalance' || !member.hasSynced
    })
    if (gone.length > 0) this.#remove(gone, nowMs)
  }

  /** Starts everybody's time anew: the machine slept, and nobody could be heard of. */
  forgive(nowMs: number): void {
    for (const member of this.#members.values()) this.#keepAlive(member, nowMs)
    if (this.#roundDeadlineMs !== Infinity) this.#setRoundDeadline(nowMs)
  }

  /** Rejects everybody who waits. */
  close(error: Error): void {
    for (const member of this.#members.values()) {
      member.join?.reject(error)
      member.sync?.reject(error)
    }
    this.#members.clear()
    this.#roundDeadlineMs = Infinity
    this.state = 'Empty'
  }

  #add(request: JoinGroupRequest, memberId: string): Member {
    const member: Member = {
      memberId,
      request,
      deadlineMs: Infinity,
      join: undefined,
      sync: undefined,
      hasSynced: false,
      assignment: NO_ASSIGNMENT,
    }
    this.#members.set(memberId, member)
    return member
  }

  /** A follower that asks again and has nothing new to say need not disturb the others. */
  #isRepeat(member: Member, request: JoinGroupRequest): boolean {
    if (this.state !== 'CompletingRebalance' && this.state !== 'Stable') return false
    const mayDecide = member.memberId === this.#leaderId && this.state === 'Stable'
    return !mayDecide && hasSameProtocols(member.request, request)
  }

  #openRound(nowMs: number): void {
    if (this.state === 'PreparingRebalance') return
    this.state = 'PreparingRebalance'
    for (const member of this.#members.values()) {
      member.sync?.reject(this.#rebalancing())
      member.sync = undefined
      if (member.join === undefined) this.#keepAlive(member, nowMs)
    }
    this.#setRoundDeadline(nowMs)
  }

  #closeRoundIfComplete(nowMs: number): void {
    const members = [...this.#members.values()]
    if (members.some((member) => member.join === undefined)) return
    this.#generation++
    this.protocol = this.#commonProtocol()
    this.state = 'CompletingRebalance'
    this.#setRoundDeadline(nowMs)
    if (!this.#members.has(this.#leaderId)) this.#leaderId = members[0]?.memberId ?? ''
    for (const member of members) {
      const { join } = member
      member.join = undefined
      member.hasSynced = false
      member.assignment = NO_ASSIGNMENT
      this.#keepAlive(member, nowMs)
      join?.resolve(this.#joined(member))
    }
  }

  #joined({ memberId }: Member): JoinGroupResult {
    const isLeader = memberId === this.#leaderId
    return {
      group: this.name,
      memberId,
      generation: this.#generation,
      leaderId: this.#leaderId,
      protocol: this.protocol,
      members: isLeader ? [...this.#members.values()].map((each) => this.#introduce(each)) : [],
    }
  }

  #introduce({ memberId, request }: Member): { memberId: string; metadata: Uint8Array } {
    const protocol = request.protocols.find(({ name }) => name === this.protocol)
    invariant(protocol !== undefined, 'a group chose a protocol that a member does not speak')
    return { memberId, metadata: protocol.metadata }
  }

  #distribute({ assignments }: SyncGroupRequest, nowMs: number): void {
    for (const { memberId, assignment } of assignments) {
      const member = this.#members.get(memberId)
      if (member !== undefined) member.assignment = assignment
    }
    this.state = 'Stable'
    this.#roundDeadlineMs = Infinity
    for (const member of this.#members.values()) {
      member.sync?.resolve(member.assignment)
      member.sync = undefined
      this.#keepAlive(member, nowMs)
    }
  }

  #remove(members: readonly Member[], nowMs: number): void {
    for (const member of members) {
      this.#members.delete(member.memberId)
      member.join?.reject(this.#unknown(member.memberId))
      member.sync?.reject(this.#unknown(member.memberId))
    }
    if (this.#members.size === 0) {
      this.state = 'Empty'
      this.#leaderId = ''
      this.#roundDeadlineMs = Infinity
      return
    }
    this.#openRound(nowMs)
    this.#closeRoundIfComplete(nowMs)
  }

  #keepAlive(member: Member, nowMs: number): void {
    member.deadlineMs = nowMs + member.request.sessionTimeoutMs
  }

  #setRoundDeadline(nowMs: number): void {
    let timeoutMs = 0
    for (const { request } of this.#members.values()) {
      timeoutMs = Math.max(timeoutMs, request.rebalanceTimeoutMs)
    }
    this.#roundDeadlineMs = nowMs + timeoutMs
  }

  #commonProtocol(): string {
    const [first, ...others] = [...this.#members.values()].map(({ request }) => namesOf(request))
    const common = first?.find((name) => others.every((names) => names.includes(name)))
    invariant(common !== undefined, 'members were let in that have no protocol in common')
    return common
  }

  #expectCommonProtocol(request: JoinGroupRequest, known: Member | undefined): void {
    const others = [...this.#members.values()].filter((member) => member !== known)
    const common = namesOf(request).filter((name) =>
      others.every((other) => namesOf(other.request).includes(name)),
    )
    const isSameType = others.every((other) => other.request.protocolType === request.protocolType)
    if (isSameType && common.length > 0) return
    throw new RejectedError(
      'USAGE',
      `Group "${this.name}" has members that assign partitions by other protocols than ` +
        `${namesOf(request).join(', ') || 'none'}. Use another group, or the same kind of consumer.`,
      { facts: { group: this.name } },
    )
  }

  #unknown(memberId: string): FencedError {
    return new FencedError(
      'GENERATION_FENCED',
      `Group "${this.name}" has no member ${memberId}: it left, or was silent for longer than its ` +
        'session timeout. Join again, as a new member.',
      { facts: { group: this.name, memberId } },
    )
  }

  #rebalancing(): UnavailableError {
    return new UnavailableError(
      'UNAVAILABLE',
      `Group "${this.name}" is rebalancing: join it again.`,
      { facts: { group: this.name, reason: 'rebalancing' } },
    )
  }
}

/** Whether the group owes the member an answer, so that its silence means nothing. */
function isWaiting({ join, sync }: Member): boolean {
  return join !== undefined || sync !== undefined
}

function namesOf({ protocols }: JoinGroupRequest): string[] {
  return protocols.map(({ name }) => name)
}

function hasSameProtocols(left: JoinGroupRequest, right: JoinGroupRequest): boolean {
  return (
    left.protocols.length === right.protocols.length &&
    left.protocols.every(({ name, metadata }, index) => {
      const other = right.protocols[index]
      return other?.name === name && Buffer.from(metadata).equals(other.metadata)
    })
  )
}
