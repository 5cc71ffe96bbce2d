import { BatchReader, BatchWriter, json, partitionOfKey, RejectedError } from '@millrace/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { NamedKey } from '../operators/record.ts'
import { type Topic, topic } from '../topic.ts'
import { KeyReader } from './key-reader.ts'
import { KeyWriter } from './key-writer.ts'

const PARTITIONS = 5

/** Keys that come again, some of which share a hash, a length or a beginning. */
const city = fc.oneof(
  fc.constantFrom('', 'a', 'Aa', 'BB', 'AaAa', 'BBBB', 'AaBB', 'é', '"', '\\', '\n', 'Köln'),
  fc.constantFrom(null, undefined, 0, -0, 7, true, ['Aa'], { Aa: 1 }),
  fc.string({ maxLength: 40 }),
  fc.integer({ min: 0, max: 9999 }).map(String),
)
const values = fc.array(
  fc.record({ city, hour: fc.integer({ min: 0, max: 3 }) }),
  { maxLength: 300 }, // more than meets no other of its hash
)

const topics: Record<string, Topic> = {
  'one property': topic('t', { value: json(), key: 'city' as never }) as unknown as Topic,
  'two properties': topic('t', {
    value: json(),
    key: ['city', 'hour'] as never,
  }) as unknown as Topic,
  'a function': topic('t', {
    value: json<{ city: unknown }>(),
    key: { place: ({ city: name }) => name },
  }) as unknown as Topic,
}

test.each(Object.keys(topics))(
  'a key of %s is written alike however often it came before',
  (name) => {
    const at = topics[name] as Topic
    fc.assert(
      fc.property(values, (rows) => {
        const keys = new KeyWriter(at, PARTITIONS)
        for (const row of rows) {
          const named = at.keyOf?.(row) ?? null
          const encoded = named === null ? null : at.key.encode(named)
          const partition = encoded === null ? 0 : partitionOfKey(encoded, PARTITIONS)
          expect(keys.write(row, null)).toEqual({ named, encoded, partition })
        }
      }),
    )
  },
)

test('a tombstone has the key of its record, as has a topic that takes none from values', () => {
  const streamKey = { city: 'Oslo' }
  for (const at of [topics['one property'], topic('t', { value: json() })]) {
    const keys = new KeyWriter(at as Topic, PARTITIONS)
    expect(keys.write(null, streamKey).named).toBe(streamKey)
  }
})

test('keys are read as they were written, however often they came before', () => {
  const at = topics['two properties'] as Topic
  fc.assert(
    fc.property(values, (rows) => {
      const batch = new BatchWriter()
      const written: (NamedKey | null)[] = []
      for (const row of rows) {
        const key = at.keyOf?.(row) ?? null
        written.push(key)
        batch.append(key === null ? null : at.key.encode(key), null, 0)
      }
      if (rows.length === 0) return
      const cursor = new BatchReader(batch.finish())
      const keys = new KeyReader(at)
      for (const key of written) {
        cursor.next()
        expect(keys.read(cursor)).toEqual(key)
      }
    }),
  )
})

test('a key can not be changed by who looks at one of its records, for others have the same', () => {
  const at = topics['one property'] as Topic
  const batch = new BatchWriter()
  for (let n = 0; n < 2; n++) batch.append(at.key.encode({ city: 'Oslo' }), null, 0)
  const cursor = new BatchReader(batch.finish())
  const keys = new KeyReader(at)
  cursor.next()
  const first = keys.read(cursor) as Record<string, unknown>
  expect(() => (first['city'] = 'Bergen')).toThrow(TypeError)
  cursor.next()
  expect(keys.read(cursor)).toEqual({ city: 'Oslo' })
})

test('an id past 2^53 that another program wrote into a key is refused, not rounded to its neighbour', () => {
  const { key } = topic('t', { value: json<{ id: number }>(), key: 'id' })
  expect(key.deserialize(Buffer.from('{"id":9007199254740991}'))).toEqual({ id: 2 ** 53 - 1 })
  expect(() => key.deserialize(Buffer.from('{"id":9007199254740993}'))).toThrow(RejectedError)
  expect(key.deserialize(key.serialize({ id: 1e300 } as never) as Buffer)).toEqual({ id: 1e300 })
  expect(key.deserialize(Buffer.from('{"id":{"$bigint":"9007199254740993"}}'))).toEqual({
    id: 9_007_199_254_740_993n,
  })
})
