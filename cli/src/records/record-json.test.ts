import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ConsumedRecord, recordFromJson, recordToJson } from './record-json.ts'

const place = { topic: 'flights', partition: 2, offset: 7, timestampMs: 978_307_260_000 }

function record(fields: Partial<ConsumedRecord>): ConsumedRecord {
  return { ...place, key: null, value: null, headers: [], ...fields }
}

test('a JSON value is embedded, not escaped', () => {
  const value = Buffer.from('{"delay":12,\n"id":9007199254740993}')
  expect(recordToJson(record({ key: Buffer.from('ORD'), value }))).toBe(
    '{"topic":"flights","partition":2,"offset":7,"timestampMs":978307260000,' +
      '"key":"ORD","value":{"delay":12, "id":9007199254740993}}',
  )
})

test('what is printed can be produced again, byte for byte', () => {
  const json = fc.json({ maxDepth: 2 }).map((text) => Buffer.from(JSON.stringify(JSON.parse(text))))
  const bytes = fc.uint8Array({ maxLength: 20 }).map((each) => Buffer.from(each))
  const text = fc.string({ unit: 'grapheme' }).map((each) => Buffer.from(each))
  const content = fc.option(fc.oneof(bytes, text, json))
  const headers = fc.array(fc.record({ key: fc.string(), value: content }), { maxLength: 3 })
  fc.assert(
    fc.property(fc.record({ key: content, value: content, headers }), (fields) => {
      const again = recordFromJson(recordToJson(record(fields)))
      expect(again.key).toEqual(fields.key)
      expect(again.value).toEqual(fields.value)
      expect(again.headers ?? []).toEqual(fields.headers)
      expect(again.timestampMs).toBe(place.timestampMs)
    }),
  )
})

test('integers beyond 2^53 keep their digits both ways', () => {
  const value = Buffer.from('{"id":9007199254740993}')
  expect(recordFromJson(recordToJson(record({ value }))).value).toEqual(value)
})

test.each([
  ['not JSON', '{"key":'],
  ['not an object', '[1]'],
  ['milliseconds', '{"timestampMs":"soon"}'],
  ['milliseconds', '{"timestampMs":-5}'],
  ['Did you mean "value"', '{"vlaue":1}'],
  ['list', '{"headers":{"a":1}}'],
])('a line that is no record says why: %s', (reason, line) => {
  expect(() => recordFromJson(line)).toThrow(reason)
})
