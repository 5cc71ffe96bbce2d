import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { compileDecoder, INEXACT, parseExactly } from './json-decoder.ts'
import { compileScan, UNSCANNED } from './json-scan.ts'
import { shapeOf } from './json-shape.ts'
import { json } from './json.ts'

const Reading = z.object({
  at: z.date(),
  place: z.string(),
  count: z.int(),
  celsius: z.number(),
  ok: z.boolean(),
  note: z.string().nullable(),
})
const shape = shapeOf(Reading)
const serde = json(Reading)

function scan(text: string): unknown {
  const bytes = Buffer.from(`}"${text}"`)
  return compileScan(shape)?.(bytes, 2, bytes.length - 1)
}

/** What is read without a scan. */
function parse(text: string): unknown {
  const decode = compileDecoder(shape)
  try {
    return decode(JSON.parse(text), false)
  } catch (caught) {
    if (caught !== INEXACT) throw caught
    return decode(parseExactly(text), true)
  }
}

const anyReading = fc.record({
  at: fc.date({ noInvalidDate: true }),
  place: fc.oneof(fc.string(), fc.string({ unit: 'binary' })),
  count: fc.maxSafeInteger(),
  celsius: fc.double({ noNaN: true, noDefaultInfinity: true }),
  ok: fc.boolean(),
  note: fc.option(fc.string()),
})

test('a scanned value is the one that JSON.parse gives', () => {
  fc.assert(
    fc.property(anyReading, (reading) => {
      const text = String(serde.encode(reading))
      const scanned = scan(text)
      const parsed = parse(text)
      if (scanned !== UNSCANNED) expect(scanned).toStrictEqual(parsed)
      expect(serde.deserialize(Buffer.from(text))).toStrictEqual(parsed)
    }),
    { numRuns: 2000 },
  )
})

test('numbers are those that JSON.parse gives, or are left to it', () => {
  const numeral = fc.tuple(
    fc.constantFrom('', '-'),
    fc.stringMatching(/^\d{1,17}$/),
    fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{0,17}$/)),
    fc.constantFrom('', 'e5', 'E-3'),
  )
  const line = (celsius: string) =>
    `{"at":0,"place":"x","count":1,"celsius":${celsius},"ok":true,"note":null}`
  fc.assert(
    fc.property(numeral, (parts) => {
      const text = line(parts.join(''))
      const scanned = scan(text)
      if (scanned === UNSCANNED) return
      expect((scanned as { celsius: number }).celsius).toBe(JSON.parse(text).celsius)
    }),
    { numRuns: 5000 },
  )
  expect((scan(line('21.5')) as { celsius: number }).celsius).toBe(21.5)
  expect((scan(line('-0.25')) as { celsius: number }).celsius).toBe(-0.25)
})

test('flat values in the order of their schema are scanned, everything else is left to JSON.parse', () => {
  const plain = '{"at":5,"place":"Oslo","count":-3,"celsius":0,"ok":false,"note":"é"}'
  expect(scan(plain)).toStrictEqual(
    JSON.parse(plain, (name, value) => (name === 'at' ? new Date(5) : value)),
  )
  for (const other of [
    plain.replace(':5,', ': 5,'),
    plain.replace('-3', '-0'),
    plain.replace('-3', '03'),
    plain.replace('-3', '3.5e1'),
    plain.replace('Oslo', 'O\\u0073lo'),
    plain.replace('"ok":false,', ''),
    plain.replace('false', 'folse'),
    plain.replace('}', ',"more":1}'),
    plain.slice(0, -1),
    `${plain} `,
  ]) {
    expect(scan(other), other).toBe(UNSCANNED)
  }
  expect(compileScan(shapeOf(z.object({ list: z.array(z.int()) })))).toBeUndefined()
  expect(compileScan(shapeOf(z.object({ id: z.bigint() })))).toBeUndefined()
})
