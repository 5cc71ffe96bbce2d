import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { RejectedError } from '../errors.ts'
import { json, type Serde } from './index.ts'

class Reading {
  readonly celsius = 21.5
}

class Sealed {
  readonly #celsius = 21.5
  get celsius(): number {
    return this.#celsius
  }
}

const opaque: readonly (readonly [string, unknown])[] = [
  ['a Promise', Promise.resolve(1)],
  ['a Map', new Map([['a', 1]])],
  ['a Set', new Set([1])],
  ['a WeakMap', new WeakMap()],
  ['a RegExp', /a/],
  ['a TypeError', new TypeError('no')],
  ['an Error', Object.assign(new Error('no'), { code: 'ENOENT' })],
  ['an ArrayBuffer', new ArrayBuffer(2)],
  ['a Uint8Array', new Uint8Array(2)],
  ['a URLSearchParams', new URLSearchParams('a=1')],
  ['a Sealed', new Sealed()],
  ['an object', new (class {})()],
  ['a function', () => 1],
  ['a symbol', Symbol('a')],
]

const dates = [5, Number.NaN, 7].map((timestampMs) => new Date(timestampMs))
Object.assign(dates[2] ?? {}, { toJSON: () => new Map() })

const hostile = fc.oneof(
  fc.constantFrom(...opaque.map(([, value]) => value)),
  fc.constantFrom<unknown>(
    new Reading(),
    ...dates,
    Object.create({ inherited: 1 }),
    { toJSON: () => new Map() },
    Object.assign([1], { toJSON: () => new Set() }),
    Object.defineProperty({}, 'toJSON', { enumerable: false, value: () => new Map() }),
    [undefined],
    // oxlint-disable-next-line no-sparse-arrays -- the hole is what it is about
    [1, , 2],
    -0,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
  ),
)
const anything = fc.letrec((tie) => ({
  any: fc.oneof(
    fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constantFrom(null, undefined)),
    hostile,
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('any'), { maxKeys: 4 }),
  ),
})).any

function isTaken(value: unknown): boolean {
  try {
    json().encode(value)
    return true
  } catch {
    return false
  }
}

function expectRefused(serde: Serde<unknown>, value: unknown, words: string): void {
  expect(() => serde.encode(value)).toThrow(RejectedError)
  expect(() => serde.encode(value)).toThrow(words)
}

describe('what JSON would write as {} or leave out', () => {
  it.each(opaque)('%s is refused, with its path', (kind, value) => {
    expectRefused(json(), value, `$ is ${kind}`)
    expectRefused(json(), { n: 1, deep: [{ here: value }] }, `$.deep[0].here is ${kind}`)
    expectRefused(json(z.object({ any: z.unknown() })), { any: [value] }, `$.any[0] is ${kind}`)
  })

  it('a promise is refused with the operator that waits for it', () => {
    expectRefused(json(), { name: Promise.resolve('Ada') }, 'mapAsync')
  })

  it('a schema does not let it pass where all it asks for may be absent', () => {
    const given = new Map([['a', 1]])
    expectRefused(json(z.object({ a: z.number().optional() })), given, '$ is a Map')
    expectRefused(json(z.object({ m: z.record(z.string(), z.number()) })), { m: given }, '$.m is')
    expect(String(json(z.object({ a: z.number().optional() })).encode({}))).toBe('{}')
  })

  it('objects of a class are taken for their properties, and those with toJSON for what that gives', () => {
    const decimal = { toJSON: () => '1.10', digits: new Map() }
    const value = {
      reading: new Reading(),
      decimal,
      url: new URL('http://millrace.example/'),
      // oxlint-disable-next-line no-restricted-globals -- a value, not the time
      at: new Date(5),
      none: Object.create(null) as object,
      empty: {},
      wrapped: new Number(5),
      gone: undefined,
    }
    expect(String(json().encode(value))).toBe(
      '{"reading":{"celsius":21.5},"decimal":"1.10","url":"http://millrace.example/",' +
        '"at":"1970-01-01T00:00:00.005Z","none":{},"empty":{},"wrapped":5}',
    )
    expectRefused(json(), { a: { toJSON: () => [NaN] } }, '$.a[0] is the number NaN')
  })

  it('is refused in a value that is plain as in one that needs a closer look, and nothing else is', () => {
    let taken = 0
    fc.assert(
      fc.property(anything, (any) => {
        const closer = new Reading()
        expect(isTaken({ any })).toBe(isTaken({ any, closer }))
        if (isTaken({ any })) taken++
      }),
      { numRuns: 1000 },
    )
    expect(taken).toBeGreaterThan(100)
  })
})
