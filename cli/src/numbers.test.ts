import { expect, test } from 'vitest'
import { nonNegativeInteger, positiveInteger, shortCount, shortDuration } from './numbers.ts'

test.each([
  [0, '0'],
  [999, '999'],
  [9999, '9999'],
  [12_345, '12 k'],
  [1_234_567, '1.23 M'],
  [2_000_000_000, '2.00 G'],
])('%i records are told as %s', (count, text) => {
  expect(shortCount(count)).toBe(text)
})

test.each([
  [0.04, '0.0s'],
  [9.96, '10s'],
  [59.9, '1m00s'],
  [75, '1m15s'],
  [3600, '1h00m'],
])('%d seconds are told as %s', (seconds, text) => {
  expect(shortDuration(seconds)).toBe(text)
})

test.each(['', '1.5', '-1', 'x', '1e3', '99999999999999999999'])(
  '%j is no whole number',
  (text) => {
    expect(() => nonNegativeInteger(text)).toThrow('whole number')
  },
)

test('zero is a partition, but no count', () => {
  expect(nonNegativeInteger('0')).toBe(0)
  expect(() => positiveInteger('0')).toThrow('at least 1')
})
