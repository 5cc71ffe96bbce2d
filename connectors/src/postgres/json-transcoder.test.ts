import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CopyBuffer } from './copy-buffer.ts'
import { codecOf } from './codecs/catalog.ts'
import { JsonTranscoder } from './json-transcoder.ts'
import { rowEncoder } from './row-encoder.ts'

const columns = Object.entries({ i: 23, b: 20, t: 25, f: 701, at: 1184, ok: 16, doc: 3802 }).map(
  ([name, oid]) => ({ name, type: name, codec: codecOf(oid, new Map()) }),
)
const properties = new Map(columns.map(({ name }, place) => [name, place]))

/** Binary rows of a line, by the transcoder; undefined when it leaves the line to others. */
function transcoded(line: string): string | undefined {
  const out = new CopyBuffer()
  const bytes = Buffer.from(line)
  const end = JsonTranscoder.for(columns, properties)?.write(out, bytes, 0)
  return end === bytes.length ? out.take().toString('latin1') : undefined
}

function encoded(row: Record<string, unknown>): string {
  const out = new CopyBuffer()
  rowEncoder(columns).row(out, null, row, 0)
  return out.take().toString('latin1')
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', '"', '\\', 'a"b\\n', '\n', 'ä\u2028', '}{', '2001-02-03T04:05:06.789Z'),
)
const row = fc.record(
  {
    i: fc.oneof(fc.integer(), fc.constant(null)),
    b: fc.maxSafeInteger(),
    t: text,
    f: fc.double({ noNaN: true, noDefaultInfinity: true }),
    at: fc
      .date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString()),
    ok: fc.boolean(),
    doc: fc.oneof(text, fc.integer(), fc.array(text), fc.dictionary(text, fc.array(text))),
  },
  { requiredKeys: [] },
)

test('lines become the same rows as the objects that they hold', () => {
  let taken = 0
  fc.assert(
    fc.property(row, fc.boolean(), (value, isWide) => {
      const line = isWide
        ? JSON.stringify(value, null, 1).replaceAll('\n', ' ')
        : JSON.stringify(value)
      const found = transcoded(`${line}\n`)
      if (found === undefined) return
      taken += 1
      if (!isWide || value.doc === undefined || typeof value.doc !== 'object') {
        expect(found).toBe(encoded(JSON.parse(line) as Record<string, unknown>))
      }
    }),
    { numRuns: 2000 },
  )
  expect(taken).toBeGreaterThan(300)
})

test.each([
  ['no object', '[1]'],
  ['no JSON', '{"i":1'],
  ['a number that JSON has not', '{"i":01}'],
  ['a bare point', '{"f":1.}'],
  ['a text of its own in a number', '{"i":"x"}'],
  ['an unknown property', '{"nope":1}'],
  ['more after the object', '{"i":1} 2'],
  ['a control character', '{"t":"a\tb"}'],
  ['NUL', '{"t":"\\u0000"}'],
  ['half a character', '{"t":"\\ud800"}'],
  ['an unclosed list', '{"doc":[1}'],
  ['a wrong word', '{"ok":trve}'],
  ['a missing comma', '{"i":1 "b":2}'],
])('%s is left to others', (_, line) => {
  expect(transcoded(`${line}\n`)).toBeUndefined()
})

test('empty lines, other orders and repeated properties mean what they mean to JSON.parse', () => {
  expect(transcoded('\n \r\n{}\n')).toBe(encoded({}))
  expect(transcoded('{"i":1,"t":"a"}\r\n{"t":"b","i":2}\n{"i":3,"i":4}')).toBe(
    encoded({ i: 1, t: 'a' }) + encoded({ i: 2, t: 'b' }) + encoded({ i: 4 }),
  )
})
