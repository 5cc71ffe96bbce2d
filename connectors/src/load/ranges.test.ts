import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Range } from './ranges.ts'
import { addRange, gapsBetween, sizeOf } from './ranges.ts'

const end = 40
const range = fc
  .tuple(fc.integer({ min: 0, max: end }), fc.integer({ min: 0, max: end }))
  .map(([a, b]): Range => [Math.min(a, b), Math.max(a, b)])

test('stretches added in any order hold what they held, and their gaps the rest', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), (added) => {
      const held = new Set(added.flatMap(([from, until]) => numbers(from, until)))
      const all = added.reduce<readonly Range[]>(addRange, [])
      expect(all.flatMap(([from, until]) => numbers(from, until))).toEqual(
        [...held].toSorted((a, b) => a - b),
      )
      expect(sizeOf(all)).toBe(held.size)
      // In order, and none touches the next.
      for (const [index, [from]] of all.entries()) {
        expect(from).toBeGreaterThan(all[index - 1]?.[1] ?? -1)
      }
      const gaps = gapsBetween(all)
      expect(gaps.at(-1)?.[1]).toBe(Infinity)
      const missing = gaps.flatMap(([from, until]) => numbers(from, Math.min(until, end)))
      expect(missing).toEqual(numbers(0, end).filter((number) => !held.has(number)))
    }),
  )
})

function numbers(from: number, until: number): number[] {
  return Array.from({ length: Math.max(0, until - from) }, (_, index) => from + index)
}
