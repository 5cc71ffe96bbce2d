import { expect, test } from 'vitest'
import { mergeOf } from './merge.ts'
import type { MergeRule } from './merge.ts'

const merged = (rule: MergeRule, type: string, older: unknown, newer: unknown): unknown =>
  mergeOf(rule, { name: 'v', type, codec: undefined })(older, newer)

test.each([
  ['1.5', '2.5', '4.0'],
  ['0.1', 0.2, '0.3'],
  [0.1, 0.2, '0.3'],
  ['-0.05', '0.01', '-0.04'],
  ['99999999999999999999.9', 1n, '100000000000000000000.9'],
  ['1e3', '1e-3', '1000.001'],
  [1e21, 1, '1000000000000000000001'],
])('numeric %s and %s are added exactly, as by the server: %s', (older, newer, sum) => {
  expect(merged('add', 'numeric', older, newer)).toBe(sum)
})

test('what is no decimal number is added as the server does, or named', () => {
  expect(merged('add', 'numeric', 'NaN', '1')).toBeNaN()
  expect(merged('add', 'double precision', '1.5', 2)).toBe(3.5)
  expect(() => merged('add', 'numeric', 'x', '1')).toThrow(/can't be added: it is not a number/)
})

test('numeric values that differ beyond a double still have their order', () => {
  const [less, more] = ['9007199254740992', '9007199254740993']
  expect(merged('greatest', 'numeric(20,0)', less, more)).toBe(more)
  expect(merged('least', 'numeric(20,0)', more, less)).toBe(less)
  expect(merged('greatest', 'numeric', '1.0000000000000000001', 1)).toBe('1.0000000000000000001')
})
