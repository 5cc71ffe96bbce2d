import { RejectedError } from '@millrace/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseRich, stringifyRich } from './rich-json.ts'

const scalars = [
  fc.string(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  fc.bigInt(),
  fc.date(),
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
]

const names = fc.oneof(fc.string(), fc.constantFrom('$date', '$bigint', '$object', '$', '__proto'))

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    ...scalars,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(names, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}))

test('what is written comes back as it was: dates, bigints, bytes, undefined, −0 and names with $ too', () => {
  fc.assert(
    fc.property(value, (original) => {
      expect(parseRich(stringifyRich(original))).toStrictEqual(original)
    }),
    { numRuns: 1000 },
  )
})

test('plain data is plain JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (plain) => {
      const hasDollar = JSON.stringify(plain).includes('"$')
      fc.pre(!hasDollar && !containsNegativeZero(plain))
      expect(stringifyRich(plain)).toBe(JSON.stringify(plain))
    }),
  )
})

test('what would be lost is refused, and what says how it is written is written so', () => {
  for (const lost of [Promise.resolve(1), new Map([[1, 2]]), new Set([1]), /a/, new Error('no')]) {
    expect(() => stringifyRich(lost)).toThrow(RejectedError)
    expect(() => stringifyRich({ deep: [lost] })).toThrow(lost.constructor.name)
  }
  expect(() => stringifyRich({ call: () => 1 })).toThrow('a function')
  expect(stringifyRich({ url: new URL('http://millrace.example/') })).toBe(
    '{"url":"http://millrace.example/"}',
  )
})

function containsNegativeZero(part: unknown): boolean {
  if (Object.is(part, -0)) return true
  return typeof part === 'object' && part !== null && Object.values(part).some(containsNegativeZero)
}
