import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OffsetIndex } from '../../core/src/storage/offset-index.ts'
import { TimeIndex } from '../../core/src/storage/time-index.ts'

/** Batches as they follow each other in a segment: records, bytes and newest timestamp of each. */
const batches = fc.array(
  fc.record({
    records: fc.integer({ min: 1, max: 50 }),
    sizeBytes: fc.integer({ min: 62, max: 5000 }),
    timestampMs: fc.integer({ min: 0, max: 1000 }),
    isIndexed: fc.boolean(),
  }),
  { maxLength: 60 },
)

interface Entry {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly position: number
}

describe('the offset index', () => {
  test('finds what a linear scan finds', () => {
    fc.assert(
      fc.property(batches, fc.nat(3500), (list, offset) => {
        const index = new OffsetIndex()
        const entries: Entry[] = []
        let baseOffset = 0
        let position = 0
        for (const { records, sizeBytes, isIndexed } of list) {
          const entry = { baseOffset, lastOffset: baseOffset + records - 1, position }
          if (isIndexed) {
            index.add(entry.baseOffset, entry.lastOffset, entry.position)
            entries.push(entry)
          }
          baseOffset += records
          position += sizeBytes
        }
        const expected = entries.findLast((entry) => entry.baseOffset <= offset)?.position ?? 0
        expect(index.floor(offset)).toBe(expected)
      }),
    )
  })

  test('leads no further than the batch looked for when it is thinned out', () => {
    fc.assert(
      fc.property(batches, fc.nat(3500), fc.integer({ min: 1, max: 9 }), (list, offset, stride) => {
        const index = new OffsetIndex()
        const entries: Entry[] = []
        let baseOffset = 0
        for (const { records } of list) {
          const entry = {
            baseOffset,
            lastOffset: baseOffset + records - 1,
            position: baseOffset * 10,
          }
          index.add(entry.baseOffset, entry.lastOffset, entry.position)
          entries.push(entry)
          baseOffset += records
        }
        index.thin(stride)
        const kept = entries.filter((_, at) => at % stride === 0)
        const expected = kept.findLast((entry) => entry.baseOffset <= offset)?.position ?? 0
        expect(index.floor(offset)).toBe(expected)
      }),
    )
  })
})

test('the time index never leads past the first record at or after a time', () => {
  fc.assert(
    fc.property(batches, fc.nat(1001), (list, timestampMs) => {
      const index = new TimeIndex()
      const records: number[] = []
      let newestMs = -1
      let offsetOfNewest = 0
      for (const batch of list) {
        for (let record = 0; record < batch.records; record += 1) records.push(batch.timestampMs)
        if (batch.timestampMs > newestMs) {
          newestMs = batch.timestampMs
          offsetOfNewest = records.length - 1
        }
        if (batch.isIndexed) index.add(newestMs, offsetOfNewest)
      }
      const found = records.findIndex((time) => time >= timestampMs)
      const first = found < 0 ? records.length : found
      expect(index.floor(timestampMs)).toBeLessThanOrEqual(first)
    }),
  )
})
