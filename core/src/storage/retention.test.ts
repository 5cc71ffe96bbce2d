import { describe, expect, test } from 'vitest'
import { countExpired } from './retention.ts'

const segments = [
  { endOffset: 10, sizeBytes: 100, lastAppendMs: 1000 },
  { endOffset: 20, sizeBytes: 100, lastAppendMs: 2000 },
  { endOffset: 30, sizeBytes: 100, lastAppendMs: 3000 },
]
const unlimited = { retentionMs: -1, retentionBytes: -1, nowMs: 1_000_000, limitOffset: 30 }

describe('retention', () => {
  test.each([
    ['nothing goes without limits', {}, 0],
    [
      'a segment goes when its last append is older than the limit',
      { nowMs: 3500, retentionMs: 2000 },
      1,
    ],
    ['exactly as old as the limit is not older', { nowMs: 3000, retentionMs: 2000 }, 0],
    ['the last segment stays however old it is', { retentionMs: 0 }, 2],
    ['the oldest goes while the others alone are large enough', { retentionBytes: 200 }, 1],
    ['a limit of zero bytes leaves the last segment', { retentionBytes: 0 }, 2],
    ['less than a segment too much keeps it', { retentionBytes: 201 }, 0],
    ['nothing that is not decided goes', { retentionMs: 0, limitOffset: 15 }, 1],
    ['a clock set back makes nothing older', { nowMs: 0, retentionMs: 1 }, 0],
  ])('%s', (_, limits, expected) => {
    expect(countExpired(segments, { ...unlimited, ...limits })).toBe(expected)
  })
})
