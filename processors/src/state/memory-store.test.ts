import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from './memory-store.ts'
import type { ChangelogRecord } from './store.ts'

type Action =
  | { readonly kind: 'put'; readonly slot: number; readonly key: string; readonly state: number }
  | { readonly kind: 'delete'; readonly slot: number }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'take' }

const slot = fc.integer({ min: 0, max: 3 })
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    slot,
    key: fc.constantFrom('a', 'b', 'c d'),
    state: fc.integer(),
  }),
  fc.record({ kind: fc.constant('delete' as const), slot }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.nat() }),
  fc.record({ kind: fc.constant('take' as const) }),
)

function act(store: MemoryStore<number>, action: Action, log: ChangelogRecord[]): void {
  switch (action.kind) {
    case 'put': {
      const entry = store.find(action.slot, action.key)
      if (entry === undefined) {
        store.add(action.slot, action.key, action.state)
        return
      }
      entry.state = action.state
      store.changed(entry)
      return
    }
    case 'delete':
      store.deleteSlot(action.slot)
      return
    case 'time':
      store.streamTimeMs = action.ms
      return
    case 'take':
      log.push(...store.takeChanges())
  }
}

function contents(store: MemoryStore<number>): unknown {
  const slots = store.slots().map((slotMs) => {
    const entries = [...store.entries(slotMs)].map(({ key, state }) => [key, state] as const)
    return [slotMs, entries.toSorted(([a], [b]) => (a < b ? -1 : 1))]
  })
  return { slots, size: store.size, at: store.streamTimeMs, earliest: store.earliestSlotMs }
}

test('its changelog restores it, wherever that was cut and whatever was compacted away', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const store = new MemoryStore<number>('s')
      const log: ChangelogRecord[] = []
      for (const each of actions) act(store, each, log)
      log.push(...store.takeChanges())
      const restored = new MemoryStore<number>('s')
      for (const record of log) restored.restore(record)
      expect(contents(restored)).toEqual(contents(store))
      const compacted = new Map(log.map((record) => [record.key, record]))
      const fromCompacted = new MemoryStore<number>('s')
      for (const record of compacted.values()) fromCompacted.restore(record)
      expect(contents(fromCompacted)).toEqual(contents(store))
      expect(store.takeChanges()).toEqual([])
    }),
  )
})

test('a key changed many times is among the changes once', () => {
  const store = new MemoryStore<number>('s')
  const entry = store.add(0, 'a', 1)
  for (let state = 2; state < 9; state++) {
    entry.state = state
    store.changed(entry)
  }
  expect(store.takeChanges()).toEqual([{ key: '0 a', value: '8' }])
})
