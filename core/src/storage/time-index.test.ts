import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TimeIndex } from './time-index.ts'

test('a thinned time index never leads past the first record at or after a time', () => {
  const steps = fc.array(fc.nat(20), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 9 }),
      fc.nat(1000),
      (gaps, stride, timestampMs) => {
        const index = new TimeIndex()
        let timeMs = 0
        const times = gaps.map((gap) => (timeMs += gap))
        times.forEach((time, offset) => index.add(time, offset))
        index.thin(stride)
        const first = times.findIndex((time) => time >= timestampMs)
        expect(index.floor(timestampMs)).toBeLessThanOrEqual(first < 0 ? times.length : first)
      },
    ),
  )
})

test('the file holds Kafka’s entries: timestamp and relative offset, big-endian', () => {
  const index = new TimeIndex()
  index.add(1_000_000_000_000, 5)
  index.add(1_000_000_000_000, 6)
  index.add(1_000_000_000_001, 7)
  const bytes = Buffer.from(index.encode())
  expect(bytes.length).toBe(24)
  expect([bytes.readBigInt64BE(0), bytes.readBigInt64BE(12)]).toEqual([
    1_000_000_000_000n,
    1_000_000_000_001n,
  ])
  expect([bytes.readInt32BE(8), bytes.readInt32BE(20)]).toEqual([5, 7])
})
