import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignSticky, type Assignments, type Subscriber } from './assignor.ts'

const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 12 }))
const memberIds = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 8,
})

function equalSubscribers(ids: readonly string[], topics: readonly string[], before?: Assignments) {
  return ids.map((memberId) => ({ memberId, topics, owned: before?.get(memberId) ?? [] }))
}

function names(assignments: Assignments): string[] {
  return [...assignments.values()].flat().map(({ topic, partition }) => `${topic}/${partition}`)
}

function allPartitions(partitionCounts: Record<string, number>): string[] {
  return Object.entries(partitionCounts).flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => `${topic}/${partition}`),
  )
}

function movedBetween(before: Assignments, after: Assignments, ids: readonly string[]): number {
  const isKept = (id: string, topic: string, partition: number): boolean =>
    (before.get(id) ?? []).some((each) => each.topic === topic && each.partition === partition)
  return ids.flatMap((id) =>
    (after.get(id) ?? []).filter(({ topic, partition }) => !isKept(id, topic, partition)),
  ).length
}

describe('the sticky assignor', () => {
  it('gives each partition to exactly one of the members that subscribed to its topic', () => {
    const subscriber: fc.Arbitrary<Subscriber> = fc.record({
      memberId: fc.string({ maxLength: 4 }),
      topics: fc.subarray(['a', 'b', 'c']),
      owned: fc.array(fc.record({ topic: fc.constantFrom('a', 'b', 'd'), partition: fc.nat(14) })),
    })
    const subscribers = fc.uniqueArray(subscriber, {
      selector: ({ memberId }) => memberId,
      maxLength: 8,
    })
    fc.assert(
      fc.property(subscribers, counts, (members, partitionCounts) => {
        const assignments = assignSticky(members, new Map(Object.entries(partitionCounts)))
        for (const { memberId, topics } of members) {
          for (const { topic } of assignments.get(memberId) ?? []) expect(topics).toContain(topic)
        }
        const read = new Set(members.flatMap(({ topics }) => topics))
        const wanted = allPartitions(partitionCounts).filter((name) => read.has(name.slice(0, 1)))
        expect(names(assignments).toSorted()).toEqual(wanted.toSorted())
      }),
    )
  })

  it('keeps the same numbers of all topics with one member', () => {
    fc.assert(
      fc.property(memberIds, counts, (ids, partitionCounts) => {
        const topics = Object.keys(partitionCounts)
        const map = new Map(Object.entries(partitionCounts))
        const ownerOf = new Map<number, string>()
        for (const [id, places] of assignSticky(equalSubscribers(ids, topics), map)) {
          for (const { partition } of places) {
            expect(ownerOf.get(partition) ?? id).toBe(id)
            ownerOf.set(partition, id)
          }
        }
      }),
    )
  })

  it('divides evenly to within one partition', () => {
    fc.assert(
      fc.property(memberIds, fc.nat(40), (ids, count) => {
        const sizes = [
          ...assignSticky(equalSubscribers(ids, ['a']), new Map([['a', count]])).values(),
        ]
        const lengths = sizes.map((places) => places.length)
        expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('changes nothing when nothing has changed, and does not depend on the order of members', () => {
    fc.assert(
      fc.property(memberIds, fc.nat(40), (ids, count) => {
        const map = new Map([['a', count]])
        const before = assignSticky(equalSubscribers(ids, ['a']), map)
        expect(assignSticky(equalSubscribers(ids, ['a'], before), map)).toEqual(before)
        expect(assignSticky(equalSubscribers(ids.toReversed(), ['a']), map)).toEqual(before)
      }),
    )
  })

  it('moves no more than a newcomer needs, and to nobody else', () => {
    fc.assert(
      fc.property(memberIds, fc.nat(40), (ids, count) => {
        const map = new Map([['a', count]])
        const before = assignSticky(equalSubscribers(ids, ['a']), map)
        const after = assignSticky(equalSubscribers([...ids, 'newcomer'], ['a'], before), map)
        expect(movedBetween(before, after, ids)).toBe(0)
        expect(after.get('newcomer')?.length).toBeLessThanOrEqual(
          Math.ceil(count / (ids.length + 1)),
        )
      }),
    )
  })

  it('moves only what a member that left had', () => {
    fc.assert(
      fc.property(memberIds, fc.nat(40), (ids, count) => {
        fc.pre(ids.length > 1)
        const map = new Map([['a', count]])
        const before = assignSticky(equalSubscribers(ids, ['a']), map)
        const stay = ids.slice(1)
        const after = assignSticky(equalSubscribers(stay, ['a'], before), map)
        expect(movedBetween(before, after, stay)).toBe(before.get(ids[0] ?? '')?.length)
      }),
    )
  })
})
