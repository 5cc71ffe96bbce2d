import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isExactNumber, parseExactly } from './exact-number.ts'

test('a number that a double holds is a number, whatever way it is written', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      for (const text of [String(number), number.toExponential(), JSON.stringify(number)]) {
        const parsed = parseExactly(text)
        // Integers past 2^53 are bigints.
        if (typeof parsed === 'bigint') expect(Number(parsed)).toBe(number)
        else expect(parsed).toBe(JSON.parse(text))
      }
    }),
  )
  expect(parseExactly('[0.10000000000000000000, 1000000000000000000000.0]')).toEqual([0.1, 1e21])
})

test('one that it would round, or make infinite or nothing, stays as it is written', () => {
  for (const text of [
    '0.1234567890123456789',
    '1234567890.12345678',
    '-1e400',
    '1E-400',
    '1.00000000000000000001',
  ]) {
    const parsed = parseExactly(`{"a":[${text}]}`)
    expect((parsed as { a: unknown[] }).a.every(isExactNumber), text).toBe(true)
    expect(JSON.stringify(parsed)).toBe(`{"a":[${text}]}`)
  }
})
