import fc from 'fast-check'
import { expect, test } from 'vitest'
import { didYouMean, editDistance } from './did-you-mean.ts'

test('the nearest name is offered, a far one is not', () => {
  expect(didYouMean('flihgts', ['orders', 'flights', 'flight'])).toBe(' Did you mean "flights"?')
  expect(didYouMean('payments', ['orders', 'flights'])).toBe('')
  expect(didYouMean('x', [])).toBe('')
})

test('the distance counts edits: zero only for equal words, the same both ways', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (one, other) => {
      const distance = editDistance(one, other)
      expect(distance === 0).toBe(one === other)
      expect(distance).toBe(editDistance(other, one))
      expect(distance).toBeLessThanOrEqual(Math.max(one.length, other.length))
    }),
  )
})

test('a swap of neighbours is one edit', () => {
  expect(editDistance('ab', 'ba')).toBe(1)
  expect(editDistance('topic', 'tpoic')).toBe(1)
})
