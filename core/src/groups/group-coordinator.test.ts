import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { ClosedError, FencedError, RejectedError, UnavailableError } from '../errors.ts'
import type { Random } from '../io/index.ts'
import type { GroupMember, JoinGroupRequest, JoinGroupResult } from '../log.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { GroupCoordinator } from './group-coordinator.ts'

let clock: VirtualClock
let coordinator: GroupCoordinator

beforeEach(() => {
  clock = new VirtualClock()
  coordinator = new GroupCoordinator({ clock, random: countingRandom() })
})

function countingRandom(): Random {
  let count = 0
  return { integer: () => 0, uuid: () => `${count++}` }
}

function join(memberId = '', changes: Partial<JoinGroupRequest> = {}): Promise<JoinGroupResult> {
  return coordinator.join({
    group: 'g',
    memberId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 30_000,
    protocolType: 'consumer',
    protocols: [{ name: 'sticky', metadata: Buffer.from('topics') }],
    ...changes,
  })
}

function sync(member: GroupMember, plan: Record<string, string> = {}): Promise<Uint8Array> {
  const assignments = Object.entries(plan).map(([memberId, assignment]) => ({
    memberId,
    assignment: Buffer.from(assignment),
  }))
  const { group, memberId, generation } = member
  return coordinator.sync({ group, memberId, generation, assignments })
}

async function twoStableMembers(): Promise<[JoinGroupResult, JoinGroupResult]> {
  const first = await join()
  await sync(first, { [first.memberId]: 'all' })
  const newcomer = join()
  const [again, second] = await Promise.all([join(first.memberId), newcomer])
  const plan = { [again.memberId]: 'a', [second.memberId]: 'b' }
  const assignments = await Promise.all([sync(second), sync(again, plan)])
  expect(assignments.map(String)).toEqual(['b', 'a'])
  return [again, second]
}

function stateOf(): string {
  return coordinator.describe('g').state
}

describe('a group', () => {
  it('is Dead before anybody joins, and Empty after everybody has left', async () => {
    expect(stateOf()).toBe('Dead')
    const member = await join()
    coordinator.leave(member)
    expect(stateOf()).toBe('Empty')
  })

  it('gives its first member the lead, and everybody what the leader planned', async () => {
    const leader = await join()
    expect(leader).toMatchObject({ generation: 1, leaderId: leader.memberId, protocol: 'sticky' })
    expect(leader.members).toHaveLength(1)
    expect(stateOf()).toBe('CompletingRebalance')
    expect(String(await sync(leader, { [leader.memberId]: 'all' }))).toBe('all')
    expect(stateOf()).toBe('Stable')
    expect(String(await sync(leader))).toBe('all')
  })

  it('waits for the known members when a new one comes, and tells only the leader who there is', async () => {
    const [leader, follower] = await twoStableMembers()
    expect(leader.generation).toBe(2)
    expect(leader.members).toHaveLength(2)
    expect(follower.members).toEqual([])
    expect(follower.leaderId).toBe(leader.memberId)
  })

  it('asks a member to join again while a round is open, by its heartbeat', async () => {
    const member = await join()
    await sync(member, {})
    const newcomer = join()
    expect(stateOf()).toBe('PreparingRebalance')
    expect(() => coordinator.heartbeat(member)).toThrow(UnavailableError)
    await expect(sync(member)).rejects.toThrow(UnavailableError)
    await Promise.all([newcomer, join(member.memberId)])
    expect(() => coordinator.heartbeat(member)).toThrow(FencedError)
  })

  it('does not disturb the others when a follower asks again with nothing new', async () => {
    const [, follower] = await twoStableMembers()
    expect(await join(follower.memberId)).toMatchObject({ generation: follower.generation })
    expect(stateOf()).toBe('Stable')
  })

  it('rebalances when the leader asks again, or a follower with something new', async () => {
    const [leader, follower] = await twoStableMembers()
    const again = join(leader.memberId)
    expect(stateOf()).toBe('PreparingRebalance')
    const metadata = Buffer.from('other topics')
    await Promise.all([
      again,
      join(follower.memberId, { protocols: [{ name: 'sticky', metadata }] }),
    ])
    expect((await again).generation).toBe(3)
    expect((await again).members.map((each) => String(each.metadata))).toContain('other topics')
  })

  it('starts over when a member leaves before the plan has come', async () => {
    const [leader, follower] = await twoStableMembers()
    const again = Promise.all([
      join(leader.memberId),
      join(follower.memberId, { rebalanceTimeoutMs: 1 }),
    ])
    const [newLeader, newFollower] = await again
    const waiting = sync(newFollower)
    coordinator.leave(newLeader)
    await expect(waiting).rejects.toThrow(UnavailableError)
    const alone = await join(newFollower.memberId)
    expect(alone).toMatchObject({ leaderId: newFollower.memberId, generation: 4 })
  })

  it('refuses whoever shares no protocol with the others', async () => {
    await join()
    const strange = { protocols: [{ name: 'range', metadata: Buffer.alloc(0) }] }
    await expect(join('', strange)).rejects.toThrow(RejectedError)
    await expect(join('', { protocolType: 'connect' })).rejects.toThrow(RejectedError)
  })
})

describe('a member', () => {
  it('is removed after its session timeout of silence, and its partitions go to the others', async () => {
    const [leader, follower] = await twoStableMembers()
    clock.advance(6000)
    coordinator.heartbeat(leader)
    clock.advance(6000)
    expect(() => coordinator.heartbeat(leader)).toThrow(UnavailableError)
    expect(() => coordinator.heartbeat(follower)).toThrow(FencedError)
    expect(await join(leader.memberId)).toMatchObject({ generation: 3 })
  })

  it('stays for as long as it sends heartbeats', async () => {
    const [leader, follower] = await twoStableMembers()
    for (let beat = 0; beat < 50; beat++) {
      clock.advance(9000)
      coordinator.heartbeat(leader)
      coordinator.heartbeat(follower)
    }
    expect(stateOf()).toBe('Stable')
  })

  it('is not expired while it waits for the group', async () => {
    const [, follower] = await twoStableMembers()
    const newcomer = join('', { sessionTimeoutMs: 100, rebalanceTimeoutMs: 30_000 })
    clock.advance(9000)
    coordinator.describe('g')
    expect(() => coordinator.heartbeat(follower)).toThrow(UnavailableError)
    clock.advance(30_000)
    expect((await newcomer).members).toHaveLength(1)
  })

  it('that does not join again within the rebalance timeout is removed, though it sends heartbeats', async () => {
    const [leader, follower] = await twoStableMembers()
    const again = join(leader.memberId)
    for (let beat = 0; beat < 4; beat++) {
      clock.advance(9000)
      try {
        coordinator.heartbeat(follower)
      } catch {
        // It is told to join again, and doesn't.
      }
    }
    expect((await again).members).toHaveLength(1)
  })

  it('that leads and brings no plan is removed, though it sends heartbeats', async () => {
    const [leader, follower] = await twoStableMembers()
    const [again, other] = await Promise.all([
      join(leader.memberId),
      join(follower.memberId, OTHER),
    ])
    const waiting = sync(other)
    const lost = expect(waiting).rejects.toThrow(UnavailableError)
    for (let beat = 0; beat < 4; beat++) {
      if (coordinator.describe('g').members.length === 2) coordinator.heartbeat(again)
      clock.advance(9000)
    }
    await lost
    expect(coordinator.describe('g').members.map((each) => each.memberId)).toEqual([other.memberId])
  })

  it('of an older generation is fenced', async () => {
    const first = await join()
    await sync(first, {})
    await Promise.all([join(), join(first.memberId)])
    expect(() => coordinator.check(first)).toThrow(FencedError)
    expect(() => coordinator.check({ ...first, generation: first.generation + 1 })).not.toThrow()
    expect(() => coordinator.check({ ...first, group: 'other' })).toThrow(FencedError)
  })

  it('is not expired by a pause of the machine: everybody gets a whole timeout more', async () => {
    const [leader, follower] = await twoStableMembers()
    pauseFor(3_600_000)
    expect(stateOf()).toBe('Stable')
    coordinator.heartbeat(leader)
    coordinator.heartbeat(follower)
    clock.advance(9000)
    expect(stateOf()).toBe('Stable')
    clock.advance(2000)
    expect(stateOf()).toBe('Empty')
  })
})

describe('a coordinator', () => {
  it('rejects whoever waits when it closes', async () => {
    await twoStableMembers()
    const waiting = join()
    coordinator.close()
    await expect(waiting).rejects.toThrow(ClosedError)
    await expect(join()).rejects.toThrow(ClosedError)
  })

  it('lets each round close with the members that take part, whatever they do', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { maxLength: 40 }),
        async (moves) => {
          clock = new VirtualClock()
          coordinator = new GroupCoordinator({ clock, random: countingRandom() })
          const people = Array.from({ length: 5 }, () => new Person())
          for (const [who, what] of moves) {
            people[who]?.act(what)
            await settle()
          }
          for (const person of people) person.act(0)
          await settle()
          clock.advance(30_000)
          await settle()
          const { members, state } = coordinator.describe('g')
          const generations = people.flatMap((person) =>
            person.joined !== undefined &&
            members.some((each) => each.memberId === person.joined?.memberId)
              ? [person.joined.generation]
              : [],
          )
          expect(['CompletingRebalance', 'Stable', 'Empty']).toContain(state)
          expect(new Set(generations).size).toBeLessThanOrEqual(1)
        },
      ),
      { numRuns: 200 },
    )
  })
})

const OTHER = { protocols: [{ name: 'sticky', metadata: Buffer.from('more') }] }

class Person {
  joined: JoinGroupResult | undefined

  act(what: number): void {
    if (what <= 1) {
      const memberId = this.joined?.memberId ?? ''
      join(memberId).then(
        (joined) => (this.joined = joined),
        () => (this.joined = undefined),
      )
    } else if (what === 2) {
      const { joined } = this
      if (joined !== undefined) sync(joined, { [joined.memberId]: 'x' }).catch(() => undefined)
    } else if (what === 3) {
      clock.advance(4000)
    } else if (this.joined !== undefined) {
      try {
        coordinator.leave(this.joined)
      } catch {
        // It has already gone.
      }
      this.joined = undefined
    }
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

/** Time passes without any timer running, as when the machine sleeps; then the due ones run late. */
function pauseFor(milliseconds: number): void {
  const reading = clock.monotonicMs.bind(clock)
  clock.monotonicMs = () => reading() + milliseconds
  clock.advance(10_000)
  clock.monotonicMs = reading
  clock.advance(milliseconds)
}
