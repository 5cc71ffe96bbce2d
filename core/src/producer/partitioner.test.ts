import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { murmur2, partitionOfKey } from './partitioner.ts'

describe('the hash of a key', () => {
  // The vectors of Kafka's own UtilsTest, which its other clients test against too.
  it.each([
    ['21', -973_932_308],
    ['foobar', -790_332_482],
    ['a-little-bit-long-string', -985_981_536],
    ['a-little-bit-longer-string', -1_486_304_829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
    ['abc', 479_470_107],
  ])('of %s is what Kafka makes of it', (key, hash) => {
    const bytes = Buffer.from(key)
    expect(murmur2(bytes, bytes.length)).toBe(hash)
    expect(partitionOfKey(key, 1_000_003)).toBe((hash & 0x7fff_ffff) % 1_000_003)
  })

  it('is the same for text and for its UTF-8, and always names a partition', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 400 }),
        fc.integer({ min: 1, max: 1000 }),
        (key, count) => {
          const partition = partitionOfKey(key, count)
          expect(partition).toBe(partitionOfKey(Buffer.from(key), count))
          expect(partition >= 0 && partition < count).toBe(true)
        },
      ),
    )
  })
})
