import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { int64, json, string } from '@millrace/core'
import { namedKeySerde } from './key.ts'
import { topic } from './topic.ts'

interface Flight {
  readonly origin: string
  readonly hour: number
  readonly at: Date | string | number | bigint | null
}

const value = json<Flight>()
const flight: Flight = { origin: 'ATL', hour: 7, at: 5 }

describe('keys', () => {
  test.each([
    [topic('t', { value, key: 'origin' }), { origin: 'ATL' }, '{"origin":"ATL"}'],
    [
      topic('t', { value, key: ['hour', 'origin'] }),
      { hour: 7, origin: 'ATL' },
      '{"hour":7,"origin":"ATL"}',
    ],
    [topic('t', { value, key: { next: (f) => f.hour + 1 } }), { next: 8 }, '{"next":8}'],
  ])('%# are made of values, with names, and come back from their bytes', (made, key, text) => {
    expect(made.keyOf?.(flight)).toEqual(key)
    const bytes = made.key.serialize(key) ?? new Uint8Array()
    expect(Buffer.from(bytes).toString()).toBe(text)
    expect(made.key.deserialize(bytes)).toEqual(key)
    expect(made.keyColumns.map((column) => column.name)).toEqual(Object.keys(key))
  })

  test('a part that is null or undefined makes no key', () => {
    expect(topic('t', { value, key: 'at' }).keyOf?.({ ...flight, at: null })).toBe(null)
    expect(topic('t', { value, key: ['origin', 'at'] }).keyOf?.({ origin: 'x' })).toBe(null)
    expect(topic('t', { value, key: { n: () => undefined } }).keyOf?.(flight)).toBe(null)
  })

  test('of a serde are the property `key`, as the bytes that serde writes', () => {
    const byText = topic('t', { value, key: string })
    const bytes = byText.key.serialize({ key: 'ATL' }) ?? new Uint8Array()
    expect(Buffer.from(bytes).toString()).toBe('ATL')
    expect(byText.key.deserialize(bytes)).toEqual({ key: 'ATL' })
    const byId = topic('t', { value, key: int64 })
    expect(byId.key.deserialize(byId.key.serialize({ key: 5n }) ?? new Uint8Array())).toEqual({
      key: 5n,
    })
  })

  test('of a serde whose keys are objects stay what they are', () => {
    const made = topic('t', { value, key: json<{ a: number; b: number }>() })
    const bytes = made.key.serialize({ a: 1, b: 2 }) ?? new Uint8Array()
    expect(Buffer.from(bytes).toString()).toBe('{"a":1,"b":2}')
    expect(made.key.deserialize(bytes)).toEqual({ a: 1, b: 2 })
  })

  test('timestamps in keys are milliseconds in the log and dates again when read', () => {
    const serde = namedKeySerde([
      { name: 'origin', type: 'string', nullable: false },
      { name: 'window_start', type: 'timestamp', nullable: false },
    ])
    fc.assert(
      fc.property(fc.string(), fc.date({ noInvalidDate: true }), (origin, start) => {
        const key = { origin, window_start: start }
        const bytes = serde.serialize(key) ?? new Uint8Array()
        expect(JSON.parse(Buffer.from(bytes).toString())).toEqual({
          origin,
          window_start: start.getTime(),
        })
        expect(serde.deserialize(bytes)).toEqual(key)
      }),
    )
  })
})

describe('event time', () => {
  const { timeOf } = topic('flights', { value, time: 'at' })

  test.each<[Flight['at'], number]>([
    [new Date(5), 5],
    [5, 5],
    [5.9, 5],
    [5n, 5],
    ['1970-01-01T00:00:01Z', 1000],
    ['1970-01-01T01:00:01+01:00', 1000],
    ['1970-01-01 00:00:01.5', 1500],
    ['1970-01-01T00:01', 60_000],
    ['1970-01-02', 86_400_000],
    ['Thu, 01 Jan 1970 00:00:01 GMT', 1000],
  ])('%s', (at, expected) => {
    expect(timeOf?.({ ...flight, at })).toBe(expected)
  })

  test.each([
    null,
    Number.NaN,
    -1,
    new Date(Number.NaN),
    'yesterday',
    'Jan 2 1970 00:00',
    new Date('1969-12-31'),
  ])('%s is none', (at) => {
    expect(() => timeOf?.({ ...flight, at })).toThrow('Topic flights: its property "at" gave')
  })

  test('by a function', () => {
    const byFunction = topic('t', { value, time: (f) => new Date(f.hour) })
    expect(byFunction.timeOf?.(flight)).toBe(7)
  })
})

test('a topic with no partitions is refused', () => {
  expect(() => topic('t', { value, partitions: 0 })).toThrow(
    'partitions must be a whole number of at least 1, not 0',
  )
})
