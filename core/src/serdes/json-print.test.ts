import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { compileEncoder } from './json-encoder.ts'
import { compilePrinter, type JsonPrinter } from './json-print.ts'
import { shapeOf } from './json-shape.ts'

const Flat = z.object({
  'a "name"': z.string(),
  n: z.number(),
  whole: z.int(),
  flag: z.boolean(),
  at: z.date(),
  big: z.bigint(),
  none: z.string().nullable(),
  maybe: z.number().optional(),
  été: z.uuid().optional(),
})

const shape = shapeOf(Flat)
const encode = compileEncoder(shape)
const text = fc.oneof(
  fc.string({ maxLength: 100 }),
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) }),
  fc.constantFrom('x'.repeat(900), 'é'.repeat(9000), 'x'.repeat(20_000)),
)
const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger())
const flat = fc.record(
  {
    'a "name"': text,
    n: number,
    whole: fc.oneof(fc.integer(), fc.maxSafeInteger()),
    flag: fc.boolean(),
    at: fc.date({ noInvalidDate: true }),
    big: fc.bigInt(),
    none: fc.option(text),
    maybe: fc.option(number, { nil: undefined }),
    été: fc.uuid(),
  },
  { requiredKeys: ['a "name"', 'n', 'whole', 'flag', 'at', 'big', 'none'] },
)

function printer(): JsonPrinter {
  const print = compilePrinter(shape)
  if (print === undefined) throw new Error('this shape has a printer')
  return print
}

describe('the fast writer of flat objects', () => {
  it('writes what the general one writes, or leaves it to that', () => {
    const print = printer()
    let printed = 0
    fc.assert(
      fc.property(flat, (value) => {
        const bytes = print(value)
        if (bytes === undefined) return
        printed++
        expect(bytes.toString()).toBe(encode(value))
      }),
      { numRuns: 1000 },
    )
    expect(printed).toBeGreaterThan(500)
  })

  it('writes a value or leaves it, whatever it has written before', () => {
    fc.assert(
      fc.property(fc.array(flat, { maxLength: 30 }), flat, (before, value) => {
        const print = printer()
        for (const other of before) print(other)
        expect(print(value)?.toString()).toBe(printer()(value)?.toString())
      }),
    )
  })

  it('leaves values alone that it has given before', () => {
    const print = printer()
    const given: { bytes: Buffer; text: string }[] = []
    for (const value of fc.sample(flat, 300)) {
      const bytes = print(value)
      if (bytes !== undefined) given.push({ bytes, text: encode(value) })
    }
    for (const { bytes, text: expected } of given) expect(bytes.toString()).toBe(expected)
  })

  it('leaves whatever does not fit to the general one', () => {
    const print = printer()
    const [sample] = fc.sample(
      flat.filter((value) => value['a "name"'].length < 50),
      1,
    )
    for (const wrong of [
      { n: Number.NaN },
      { whole: 1.5 },
      { whole: 2 ** 60 },
      { at: 'x' },
      { big: 1 },
      { flag: 0 },
      { none: undefined },
      { 'a "name"': 5 },
    ]) {
      expect(print({ ...sample, ...wrong })).toBeUndefined()
    }
    for (const other of [null, 5, 'text', [], undefined]) expect(print(other)).toBeUndefined()
  })

  it('is not for shapes that are not flat, or may begin with nothing', () => {
    const isFor = (schema: z.ZodType): boolean => compilePrinter(shapeOf(schema)) !== undefined
    expect(isFor(z.object({ a: z.array(z.number()) }))).toBe(false)
    expect(isFor(z.looseObject({ a: z.number() }))).toBe(false)
    expect(isFor(z.object({ a: z.number().optional() }))).toBe(false)
    expect(isFor(z.object({ constructor: z.string() }))).toBe(false)
    expect(isFor(z.array(z.string()))).toBe(false)
    expect(isFor(z.object({ a: z.number() }))).toBe(true)
  })
})
