import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { RejectedError } from '../errors.ts'
import { json, type Serde } from './index.ts'

function read(serde: Serde<unknown>, text: string): unknown {
  return serde.deserialize(Buffer.from(text))
}

function expectRefused(serde: Serde<unknown>, text: string, ...words: string[]): void {
  expect(() => read(serde, text)).toThrow(RejectedError)
  for (const word of words) expect(() => read(serde, text)).toThrow(word)
}

const untyped = json()
const typed = json(
  z.object({
    int32: z.int32().optional(),
    int64: z.int().optional(),
    double: z.number().optional(),
    numeric: z.string().optional(),
    any: z.unknown(),
    list: z.array(z.number()).optional(),
    either: z.union([z.number(), z.string()]).optional(),
  }),
)

describe('numbers of JSON', () => {
  it('refuses an integer that would come out as another, and names it, its place and what to do', () => {
    expectRefused(
      untyped,
      '{"id":9007199254740993}',
      '$.id is the bigint 9007199254740993',
      'it would become 9007199254740992',
      'z.bigint()',
      'text',
    )
    expectRefused(untyped, '[1,{"a":[-9007199254740993]}]', '$[1].a[0] is')
    expectRefused(untyped, '9007199254740993', '$ is')
    expectRefused(untyped, '9223372036854775808', '$ is')
    expectRefused(untyped, `{"n":1${'0'.repeat(400)}}`, '$.n is')
  })

  it('refuses a literal beyond what a double holds', () => {
    expectRefused(untyped, '{"d":1e400}', '$.d is the number Infinity', 'text')
    expectRefused(untyped, '{"d":[0,-1E+0400]}', '$.d[1] is the number -Infinity')
  })

  it('holds typed properties to the same, whatever their type', () => {
    for (const name of ['int32', 'int64', 'double', 'any', 'either']) {
      expectRefused(typed, `{"${name}":9007199254740993}`, `$.${name} is`)
      expectRefused(typed, `{"${name}":1e400}`, `$.${name} is`)
    }
    expectRefused(typed, '{"list":[1,9007199254740993]}', '$.list[1] is')
    expectRefused(typed, '{"any":{"a":[9007199254740993]}}', '$.any.a[0] is')
    expectRefused(typed, '{"numeric":9007199254740993}', '$.numeric is')
    expect(read(typed, '{"numeric":"9007199254740993","any":0}')).toMatchObject({
      numeric: '9007199254740993',
    })
  })

  it('reads the number beside a bigint beyond 2^53 as if it stood alone', () => {
    const serde = json(z.object({ big: z.bigint(), n: z.number(), other: z.unknown() }))
    expect(
      read(serde, '{"big":9007199254740993,"n":1e300,"other":[1e22,9007199254740992]}'),
    ).toEqual({ big: 9_007_199_254_740_993n, n: 1e300, other: [1e22, 9_007_199_254_740_992] })
    expectRefused(serde, '{"big":9007199254740993,"n":9007199254740993,"other":0}', '$.n is')
    expectRefused(serde, '{"big":9007199254740993,"n":1,"other":[1e400]}', '$.other[0] is')
  })

  it('leaves text that only looks like a long number alone', () => {
    const value = { card: '4111111111111111', at: '1e400', id: '12345678901234567890' }
    expect(read(untyped, JSON.stringify(value))).toEqual(value)
  })

  it('reads every number that JavaScript writes', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ noNaN: true, min: 2 ** 53, max: 1e22 }),
      fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }).map(Number),
    )
    fc.assert(
      fc.property(number, (value) => {
        expect(read(untyped, JSON.stringify([value]))).toEqual([value + 0])
        const text = `{"double":${JSON.stringify(value)},"any":${JSON.stringify(value)}}`
        expect(read(typed, text)).toEqual({ double: value + 0, any: value + 0 })
      }),
      { numRuns: 500 },
    )
  })

  it('reads an integer only if it is written with the same digits again', () => {
    const integer = fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n })
    fc.assert(
      fc.property(integer, (value) => {
        const isSame = BigInt(Number(value).toLocaleString('en', { useGrouping: false })) === value
        if (isSame) expect(read(untyped, `${value}`)).toBe(Number(value))
        else expectRefused(untyped, `${value}`)
      }),
    )
  })
})
