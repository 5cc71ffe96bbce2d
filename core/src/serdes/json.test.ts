import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { RejectedError, UsageError } from '../errors.ts'
import { json, type Serde } from './index.ts'

// oxlint-disable-next-line no-restricted-globals -- a value, not the time
const dateAt = (timestampMs: number): Date => new Date(timestampMs)

function textOf<T>(serde: Serde<T>, value: T): string {
  return String(serde.encode(value))
}

function roundTrip<T>(serde: Serde<T>, value: T): T {
  return serde.deserialize(serde.serialize(value) ?? new Uint8Array(0))
}

function expectRefused<T>(serde: Serde<T>, value: unknown, path: string): void {
  expect(() => serde.encode(value as T)).toThrow(RejectedError)
  expect(() => serde.encode(value as T)).toThrow(`${path} is`)
}

const plainJson = fc.jsonValue({ maxDepth: 4 })

describe('json without a schema', () => {
  const serde = json()

  it('brings back whatever JSON can hold', () => {
    fc.assert(
      fc.property(plainJson, (value) => {
        expect(roundTrip(serde, value)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('refuses what would quietly become null, and names the place', () => {
    expectRefused(serde, { a: [1, { b: Number.NaN }] }, '$.a[1].b')
    expectRefused(serde, [null, Infinity], '$[1]')
    expectRefused(serde, { n: null, list: ['x', undefined] }, '$.list[1]')
    expectRefused(serde, { at: dateAt(Number.NaN) }, '$.at')
    expectRefused(serde, undefined, '$')
    expect(textOf(serde, { n: null, text: 'null', gone: undefined })).toBe(
      '{"n":null,"text":"null"}',
    )
  })

  it('refuses what JSON cannot hold at all', () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    expect(() => serde.encode(circular)).toThrow(RejectedError)
    expect(() => serde.encode({ big: 1n })).toThrow(RejectedError)
  })

  it('refuses bytes that are no JSON, or no UTF-8', () => {
    for (const bad of ['', '{', '{"a":}', 'nul', '[1,]']) {
      expect(() => serde.deserialize(Buffer.from(bad))).toThrow(RejectedError)
    }
    expect(() => serde.deserialize(Buffer.from([0x22, 0xc3, 0x22]))).toThrow(RejectedError)
  })

  it('keeps lone surrogates, control characters and "__proto__" as they are', () => {
    const strange = JSON.parse('{"__proto__":{"admin":true},"a":"\\ud800\\u0000\\"\\\\"}') as object
    const back = roundTrip(serde, strange)
    expect(Object.getOwnPropertyNames(back)).toEqual(['__proto__', 'a'])
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
    expect(textOf(serde, back)).toBe(textOf(serde, strange))
  })

  it('has no columns', () => {
    expect(serde.columns).toBeUndefined()
  })
})

const Everything = z.object({
  text: z.string(),
  number: z.number(),
  whole: z.int(),
  small: z.int32(),
  flag: z.boolean(),
  at: z.date(),
  big: z.bigint(),
  id: z.uuid(),
  kind: z.enum(['a', 'b']),
  maybe: z.date().optional(),
  empty: z.bigint().nullable(),
  list: z.array(z.bigint()),
  pair: z.tuple([z.string(), z.date()]),
  nested: z.object({ at: z.date(), deeper: z.array(z.object({ n: z.bigint() })) }),
  byName: z.record(z.string(), z.date()),
  either: z.union([z.string(), z.bigint(), z.null()]),
  anything: z.json(),
})

const date = fc.date({ noInvalidDate: true })
const anyInt = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
const everything: fc.Arbitrary<z.infer<typeof Everything>> = fc.record(
  {
    text: fc.string({
      unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    }),
    number: fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    whole: anyInt,
    small: fc.integer(),
    flag: fc.boolean(),
    at: date,
    big: fc.bigInt(),
    id: fc.uuid(),
    kind: fc.constantFrom('a' as const, 'b' as const),
    maybe: date,
    empty: fc.option(fc.bigInt()),
    list: fc.array(fc.bigInt()),
    pair: fc.tuple(fc.string(), date),
    nested: fc.record({ at: date, deeper: fc.array(fc.record({ n: fc.bigInt() })) }),
    byName: fc.dictionary(fc.string(), date),
    either: fc.oneof(fc.string(), fc.bigInt(), fc.constant(null)),
    anything: plainJson.map((value) => JSON.parse(JSON.stringify(value)) as z.core.util.JSONType),
  },
  {
    requiredKeys: [
      ...([
        'text',
        'number',
        'whole',
        'small',
        'flag',
        'at',
        'big',
        'id',
        'kind',
        'empty',
      ] as const),
      ...(['list', 'pair', 'nested', 'byName', 'either', 'anything'] as const),
    ],
  },
)

describe('json with a schema', () => {
  const serde = json(Everything)

  it('brings values back with their types, whatever they hold', () => {
    fc.assert(
      fc.property(everything, (value) => {
        const back = roundTrip(serde, value)
        expect(back).toEqual(value)
        expect(Object.keys(back.byName).toSorted()).toEqual(Object.keys(value.byName).toSorted())
        JSON.parse(textOf(serde, value))
      }),
      { numRuns: 300 },
    )
  })

  it('stores dates as epoch milliseconds and bigints as number literals', () => {
    const small = json(z.object({ at: z.date(), big: z.bigint() }))
    const value = { at: dateAt(1_700_000_000_123), big: 2n ** 64n + 1n }
    expect(textOf(small, value)).toBe('{"at":1700000000123,"big":18446744073709551617}')
    expect(roundTrip(small, value)).toEqual(value)
  })

  it('takes dates as epoch milliseconds and as ISO text too, the forms that files give', () => {
    const small = json(z.object({ at: z.date() }))
    expect(textOf(small, { at: 5 } as never)).toBe('{"at":5}')
    expect(textOf(small, { at: 5.5 } as never)).toBe('{"at":5}')
    expectRefused(small, { at: Number.NaN }, '$.at')
    const texts = [
      ['2001-02-03', 981_158_400_000],
      ['2001-02-03 04:05:06', 981_173_106_000],
      ['2001-02-03T04:05:06.789123Z', 981_173_106_789],
      ['2001-02-03T04:05:06+02:00', 981_165_906_000],
    ] as const
    for (const [at, ms] of texts) {
      expect(textOf(small, { at } as never)).toBe(`{"at":${ms}}`)
      expect(textOf(json(z.array(z.date())), [at] as never)).toBe(`[${ms}]`)
    }
    for (const at of ['2001-02-30', '2001-02-03 25:00:00', '981158400000', 'today', '']) {
      expectRefused(small, { at }, '$.at')
    }
  })

  it('gives sinks their columns', () => {
    expect(serde.columns).toEqual([
      { name: 'text', type: 'string', nullable: false },
      { name: 'number', type: 'float64', nullable: false },
      { name: 'whole', type: 'int64', nullable: false },
      { name: 'small', type: 'int32', nullable: false },
      { name: 'flag', type: 'boolean', nullable: false },
      { name: 'at', type: 'timestamp', nullable: false },
      { name: 'big', type: 'int64', nullable: false },
      { name: 'id', type: 'uuid', nullable: false },
      { name: 'kind', type: 'string', nullable: false },
      { name: 'maybe', type: 'timestamp', nullable: true },
      { name: 'empty', type: 'int64', nullable: true },
      { name: 'list', type: 'int64', nullable: false, array: true },
      { name: 'pair', type: 'json', nullable: false },
      { name: 'nested', type: 'json', nullable: false },
      { name: 'byName', type: 'json', nullable: false },
      { name: 'either', type: 'json', nullable: true },
      { name: 'anything', type: 'json', nullable: true },
    ])
  })

  it('refuses what does not fit, and names the place', () => {
    const [sample] = fc.sample(everything, 1)
    if (sample === undefined) throw new Error('unreachable')
    expectRefused(serde, { ...sample, at: 'today' }, '$.at')
    expectRefused(serde, { ...sample, at: dateAt(Number.NaN) }, '$.at')
    expectRefused(serde, { ...sample, number: Number.NaN }, '$.number')
    expectRefused(serde, { ...sample, whole: 1.5 }, '$.whole')
    expectRefused(serde, { ...sample, big: 5.5 }, '$.big')
    expectRefused(serde, { ...sample, text: undefined }, '$.text')
    expectRefused(serde, { ...sample, list: [1n, null] }, '$.list[1]')
    expectRefused(serde, { ...sample, pair: ['a'] }, '$.pair')
    expectRefused(
      serde,
      { ...sample, nested: { at: sample.at, deeper: [{}] } },
      '$.nested.deeper[0].n',
    )
    expectRefused(serde, { ...sample, byName: { x: 'y' } }, '$.byName.x')
    expectRefused(serde, { ...sample, anything: { a: [Infinity] } }, '$.anything.a[0]')
    expectRefused(serde, null, '$')
  })

  it('refuses stored values that do not fit, and names the place', () => {
    const small = json(z.object({ at: z.date(), n: z.number(), big: z.bigint().optional() }))
    const refuse = (text: string, path: string): void => {
      expect(() => small.deserialize(Buffer.from(text))).toThrow(RejectedError)
      expect(() => small.deserialize(Buffer.from(text))).toThrow(path)
    }
    refuse('{"at":"2020-01-01","n":1}', '$.at')
    refuse('{"at":1e300,"n":1}', '$.at')
    refuse('{"at":1,"n":1e999}', '$.n')
    refuse('{"at":1}', '$.n')
    refuse('{"at":1,"n":1,"big":1.5}', '$.big')
    refuse('{"at":1,"n":1,"big":1e30}', '$.big')
    refuse('[]', '$')
  })

  it('leaves out properties that the schema does not name, and takes no inherited ones', () => {
    const small = json(z.object({ a: z.number(), constructor: z.string().optional() }))
    expect(textOf(small, { a: 1, b: 2 } as never)).toBe('{"a":1}')
    expect(textOf(json(z.object({ valueOf: z.any().optional() })), {})).toBe('{}')
    expect(textOf(json(z.looseObject({ a: z.number() })), { a: 1, b: [2] })).toBe('{"a":1,"b":[2]}')
  })

  it('works for schemas that hold themselves', () => {
    const Tree = z.object({
      n: z.bigint(),
      get children() {
        return z.array(Tree)
      },
    })
    const value: z.infer<typeof Tree> = { n: 1n, children: [{ n: 2n ** 65n, children: [] }] }
    expect(roundTrip(json(Tree), value)).toEqual(value)
  })

  it('works for values that are no objects', () => {
    const dates = json(z.array(z.date()))
    expect(roundTrip(dates, [dateAt(5)])).toEqual([dateAt(5)])
    expect(dates.columns).toBeUndefined()
  })

  it('refuses schemas that JSON would lose something of', () => {
    expect(() => json(z.object({ m: z.map(z.string(), z.string()) }))).toThrow(UsageError)
    expect(() => json(z.object({ s: z.set(z.string()) }))).toThrow(UsageError)
    expect(() => json(z.object({ e: z.union([z.date(), z.number()]) }))).toThrow(UsageError)
    expect(() => json({ '~standard': { version: 1, vendor: 'x' } } as never)).toThrow(UsageError)
  })
})
