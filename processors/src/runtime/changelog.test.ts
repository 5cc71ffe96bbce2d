import { type Log, open } from '@millrace/core'
import { simulatedPorts } from '@millrace/core/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../state/memory-store.ts'
import { Changelog } from './changelog.ts'
import { TransactionalWriter } from './transactional-writer.ts'

const RECORDS_MIN = 20
const KEYS = 8
const SLOTS = 4

/** What happens to a store within an epoch. */
type Step = { readonly set: number; readonly slot: number } | { readonly drop: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ set: fc.nat(KEYS - 1), slot: fc.nat(SLOTS - 1) }) },
  { weight: 1, arbitrary: fc.record({ drop: fc.nat(SLOTS - 1) }) },
)
const epoch = fc.record({
  steps: fc.array(step, { maxLength: 12 }),
  /** The process ends after it, and another goes on. */
  isLast: fc.boolean(),
})

function apply(store: MemoryStore<number>, steps: readonly Step[]): void {
  for (const what of steps) {
    store.streamTimeMs++
    if ('drop' in what) {
      store.deleteSlot(what.drop)
      continue
    }
    const found = store.find(what.slot, `k${what.set}`)
    if (found === undefined) store.add(what.slot, `k${what.set}`, 1)
    else {
      found.state++
      store.changed(found)
    }
  }
}

function contentOf(store: MemoryStore<number>): unknown {
  const entries = store.slots().flatMap((slotMs) => [...store.entries(slotMs)])
  const texts = entries.map(({ slotMs, key, state }) => `${slotMs} ${key} ${state}`)
  return { streamTimeMs: store.streamTimeMs, entries: texts.toSorted() }
}

async function reopened(log: Log) {
  const topics = [{ name: 'c', partitions: 1, compression: 'none', maxMessageBytes: 1e6 }] as const
  const writer = await TransactionalWriter.open(log, 'mill', topics)
  const store = new MemoryStore<number>('s')
  const changelog = new Changelog('c', 0, store, RECORDS_MIN)
  const restored = await changelog.restore(log)
  return { writer, store, changelog, restored }
}

async function commit(log: Log, { writer, changelog }: Awaited<ReturnType<typeof reopened>>) {
  changelog.write(writer, 0)
  const outdated = changelog.takeOutdated()
  await writer.commit([])
  if (outdated !== undefined) await log.trim(outdated, outdated.belowOffset)
  await changelog.beginRound(log)
}

describe('a changelog', () => {
  test('gives back the store after any epoch, however often it was shortened', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(epoch, { minLength: 10, maxLength: 40 }), async (epochs) => {
        const log = await open('/data', { ports: simulatedPorts() })
        await log.createTopic({ name: 'c' })
        let life = await reopened(log)
        for (const { steps, isLast } of epochs) {
          apply(life.store, steps)
          await commit(log, life)
          const next = await reopened(log)
          expect(contentOf(next.store)).toEqual(contentOf(life.store))
          life = isLast ? next : { ...life, writer: next.writer }
        }
        await log.close()
      }),
      { numRuns: 60 },
    )
  })

  test('stays as short as the store is small, however many epochs there are', async () => {
    const log = await open('/data', { ports: simulatedPorts() })
    await log.createTopic({ name: 'c' })
    const life = await reopened(log)
    for (let n = 0; n < 500; n++) {
      apply(life.store, [{ set: n % KEYS, slot: 0 }])
      await commit(log, life)
    }
    const { restored, store } = await reopened(log)
    expect(store.size).toBe(KEYS)
    expect(restored).toBeLessThan(2 * RECORDS_MIN + 3 * KEYS)
    await log.close()
  })
})
