import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JournalState } from './journal-state.ts'
import type { JournalEntry } from './journal-state.ts'

const small = fc.integer({ min: 0, max: 3 })
const topicId = fc.constantFrom('a', 'b')
const positions = fc.array(
  fc.record({
    group: fc.constantFrom('g', 'h'),
    positions: fc.array(
      fc.record({
        topic: fc.constant('t'),
        topicId,
        partition: small,
        position: fc.record({ offset: fc.nat(), leaderEpoch: small }),
      }),
      { maxLength: 3 },
    ),
  }),
  { maxLength: 2 },
)
const producer = fc.record({
  producerId: small,
  producerEpoch: small,
  transactionalId: fc.constantFrom('x', 'y'),
})
const decision = fc.record({
  producerId: small,
  producerEpoch: small,
  outcome: fc.constantFrom('commit' as const, 'abort' as const),
  partitions: fc.array(fc.record({ topic: fc.constant('t'), topicId, partition: small })),
})
const transactions = fc.array(fc.record({ producerId: small, producerEpoch: small }))

const entry: fc.Arbitrary<JournalEntry> = fc.oneof(
  fc.record({ type: fc.constant('producer-ids' as const), below: fc.nat() }),
  fc.record({ type: fc.constant('producer' as const), producer }),
  fc.record({ type: fc.constant('decision' as const), decision, producer, positions }),
  fc.record({ type: fc.constant('marked' as const), transactions }),
  fc.record({ type: fc.constant('positions' as const), positions }),
  fc.record({ type: fc.constant('topic-deleted' as const), topicId }),
)

test('a snapshot and what follows it say the same as all entries from the beginning', () => {
  fc.assert(
    fc.property(fc.array(entry), fc.array(entry), (before, after) => {
      const whole = new JournalState()
      for (const each of before) whole.apply(each)
      const restored = new JournalState()
      restored.apply({
        type: 'producer',
        producer: { producerId: 77, producerEpoch: 0, transactionalId: 'old' },
      })
      const snapshot = JSON.parse(JSON.stringify(whole.snapshot())) as ReturnType<
        typeof whole.snapshot
      >
      restored.apply({ type: 'snapshot', snapshot })
      for (const each of after) {
        whole.apply(each)
        restored.apply(each)
      }
      expect(restored.snapshot()).toEqual(whole.snapshot())
    }),
  )
})
