import type { TopicPartition } from '../record.ts'

/** A member of a group, as its leader sees it. */
export interface Subscriber {
  readonly memberId: string
  readonly topics: readonly string[]
  /** What it reads now and would like to keep. */
  readonly owned: readonly TopicPartition[]
}

/** What each member is to read, by member id; every member is there. */
export type Assignments = Map<string, TopicPartition[]>

/** The same partition number of all topics that the same members read: these go together. */
interface Unit {
  readonly partitions: readonly TopicPartition[]
}

/**
 * Divides partitions among members: each partition to exactly one of those that subscribed to it, the
 * same numbers of all topics together (so that they can be joined), counts even to within one among
 * members with equal subscriptions, and with as little moving as that allows. Pure: equal input, in
 * whatever order, gives equal output.
 */
export function assignSticky(
  subscribers: readonly Subscriber[],
  partitionCounts: ReadonlyMap<string, number>,
): Assignments {
  const members = subscribers.toSorted((left, right) => compare(left.memberId, right.memberId))
  const assignments: Assignments = new Map(members.map(({ memberId }) => [memberId, []]))
  for (const { audience, topics } of audiencesOf(members, partitionCounts)) {
    divide(unitsOf(topics, partitionCounts), audience, assignments)
  }
  return assignments
}

interface Audience {
  readonly audience: readonly Subscriber[]
  readonly topics: string[]
}

/** Topics by who reads them: only those read by the same members can stay together. */
function audiencesOf(
  members: readonly Subscriber[],
  partitionCounts: ReadonlyMap<string, number>,
): Audience[] {
  const audiences = new Map<string, Audience>()
  for (const topic of [...partitionCounts.keys()].toSorted(compare)) {
    const audience = members.filter(({ topics }) => topics.includes(topic))
    if (audience.length === 0) continue
    const name = JSON.stringify(audience.map(({ memberId }) => memberId))
    const known = audiences.get(name)
    if (known === undefined) audiences.set(name, { audience, topics: [topic] })
    else known.topics.push(topic)
  }
  return [...audiences.values()]
}

function unitsOf(topics: readonly string[], partitionCounts: ReadonlyMap<string, number>): Unit[] {
  const counts = topics.map((topic) => partitionCounts.get(topic) ?? 0)
  return Array.from({ length: Math.max(...counts) }, (_, partition) => ({
    partitions: topics
      .filter((_topic, index) => partition < (counts[index] ?? 0))
      .map((topic) => ({ topic, partition })),
  }))
}

interface Share {
  readonly memberId: string
  readonly units: Unit[]
  readonly held: readonly Unit[]
}

function divide(
  units: readonly Unit[],
  audience: readonly Subscriber[],
  assignments: Assignments,
): void {
  const owners = ownersOf(units, audience)
  const shares: Share[] = audience.map(({ memberId }) => ({
    memberId,
    units: [],
    held: units.filter((unit) => owners.get(unit) === memberId),
  }))
  const loadOf = ({ memberId }: Share): number => assignments.get(memberId)?.length ?? 0
  // Who holds most keeps most; among equals, who has less from other topics gets more here.
  shares.sort((left, right) => right.held.length - left.held.length || loadOf(left) - loadOf(right))
  const floor = Math.floor(units.length / shares.length)
  const largerShares = units.length % shares.length
  const left = new Set(units)
  const quotaOf = (index: number): number => floor + (index < largerShares ? 1 : 0)
  for (const [index, share] of shares.entries()) {
    for (const unit of share.held.slice(0, quotaOf(index))) {
      share.units.push(unit)
      left.delete(unit)
    }
  }
  const free = left.values()
  for (const [index, share] of shares.entries()) {
    while (share.units.length < quotaOf(index)) {
      const { value: unit } = free.next()
      if (unit === undefined) break
      share.units.push(unit)
    }
  }
  for (const { memberId, units: mine } of shares) {
    assignments.get(memberId)?.push(...mine.flatMap(({ partitions }) => partitions))
  }
}

/** Who owns a unit now: the first member, by id, that claims any partition of it. */
function ownersOf(units: readonly Unit[], audience: readonly Subscriber[]): Map<Unit, string> {
  const claims = new Map<string, string>()
  for (const { memberId, owned } of audience) {
    for (const place of owned) {
      const name = nameOf(place)
      if (!claims.has(name)) claims.set(name, memberId)
    }
  }
  const owners = new Map<Unit, string>()
  for (const unit of units) {
    for (const place of unit.partitions) {
      const owner = claims.get(nameOf(place))
      if (owner === undefined) continue
      owners.set(unit, owner)
      break
    }
  }
  return owners
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
