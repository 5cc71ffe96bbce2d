import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Duration, durationMs } from './duration.ts'
import { firstWindowStart, hopping, isClosed, type TimeWindows, tumbling } from './windows.ts'

/** Starts of the windows that hold a timestamp. */
function startsOf(windows: TimeWindows, timestampMs: number): number[] {
  const starts: number[] = []
  const first = firstWindowStart(windows, timestampMs)
  for (let at = first; at <= timestampMs; at += windows.advanceMs) starts.push(at)
  return starts
}

describe('windows', () => {
  test.each<[string, TimeWindows, number, number[]]>([
    ['Kafka’s own example', hopping('12ms', { advance: '5ms' }), 21, [10, 15, 20]],
    [
      'before one whole size has passed, fewer windows',
      hopping('12ms', { advance: '5ms' }),
      7,
      [0, 5],
    ],
    ['a start belongs to its window', tumbling('10ms'), 20, [20]],
    ['an end belongs to the next window', tumbling('10ms'), 19, [10]],
    ['the first moment', hopping('12ms', { advance: '5ms' }), 0, [0]],
    ['advance = size is tumbling', hopping('10ms', { advance: '10ms' }), 25, [20]],
    ['advance that does not divide the size', hopping('10ms', { advance: '3ms' }), 10, [3, 6, 9]],
  ])('%s', (_, windows, timestampMs, starts) => {
    expect(startsOf(windows, timestampMs)).toEqual(starts)
  })

  test('cover every moment: exactly the windows that hold it, aligned to 1970', () => {
    const moment = fc.integer({ min: 0, max: 100_000 })
    const sizes = fc.tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 500 }))
    fc.assert(
      fc.property(moment, sizes, (timestampMs, [a, b]) => {
        const [advanceMs, sizeMs] = a < b ? [a, b] : [b, a]
        const windows: TimeWindows = { kind: 'hopping', sizeMs, advanceMs, graceMs: 0 }
        const naive: number[] = []
        for (let start = 0; start <= timestampMs; start += advanceMs) {
          if (timestampMs < start + sizeMs) naive.push(start)
        }
        expect(startsOf(windows, timestampMs)).toEqual(naive)
      }),
    )
  })

  test.each<[number, boolean]>([
    [109, false],
    [110, true],
    [111, true],
  ])('of [90, 100) with grace 10 at stream time %i: closed is %s', (streamTimeMs, closed) => {
    const windows = { ...tumbling('10ms', { grace: '10ms' }) }
    expect(isClosed(windows, 90, streamTimeMs)).toBe(closed)
  })

  test.each<[() => unknown, string]>([
    [() => tumbling('0s'), 'no length'],
    [() => hopping('1h', { advance: '0s' }), 'more than zero'],
    [() => hopping('1h', { advance: '2h' }), 'at most its size'],
    [() => tumbling('10 mins' as Duration), 'Did you mean "10m"?'],
    [() => tumbling('1hour' as Duration), 'Did you mean "1h"?'],
    [() => tumbling('2 weeks' as Duration), 'Did you mean "14d"?'],
    [() => tumbling('10' as Duration), 'its unit is missing'],
    [() => tumbling('-1h' as Duration), 'Write a number and a unit'],
    [() => tumbling('1h', { grace: '5 sec' as Duration }), 'Did you mean "5s"?'],
    [() => tumbling('3 months' as Duration), 'is no duration. Write'],
    [() => tumbling('0.5ms'), 'is no duration'],
  ])('that make no sense are refused (%#): %s', (make, message) => {
    expect(make).toThrow(message)
  })

  test('durations are exact milliseconds', () => {
    const all: Duration[] = ['5ms', '1.5s', '10m', '0.25h', '7d']
    expect(all.map(durationMs)).toEqual([5, 1500, 600_000, 900_000, 604_800_000])
  })
})
