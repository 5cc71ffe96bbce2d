import { expect, test } from 'vitest'
import { startOption } from './start-option.ts'

test.each([
  ['earliest', { at: 'earliest' }],
  ['latest', { at: 'latest' }],
  ['1042', { offset: 1042 }],
  ['-10', { last: 10 }],
  ['2001-01-01T00:00Z', { timestampMs: 978_307_200_000 }],
  ['2001-01-01', { timestampMs: 978_307_200_000 }],
])('%s is a place to start', (text, start) => {
  expect(startOption(text)).toEqual(start)
})

test.each(['soon', '1.5', '--1', '', '12 monkeys', '2001-99-99'])('%j is none', (text) => {
  expect(() => startOption(text)).toThrow('or a time such as')
})
