import { expect, test } from 'vitest'
import type { Minute } from './samples.ts'
import type { SoakResult } from './soak.ts'
import { brokenPromises } from './verdict.ts'

const plan = { minutes: 10, rate: 20_000, seed: 1 }
const MIB = 2 ** 20

const calmMinute = (minute: number, changed: Partial<Minute> = {}): Minute => ({
  minute,
  records: 1_200_000,
  kills: 0,
  isCalm: true,
  rssBytes: 250 * MIB,
  openFiles: 120,
  diskBytes: 100 * MIB,
  p50AgeMs: 200,
  p99AgeMs: 800,
  ...changed,
})

const calm = (changed: (minute: number) => Partial<Minute> = () => ({})) =>
  [1, 2, 3, 4, 5].map((minute) => calmMinute(minute, changed(minute)))

const good: SoakResult = {
  records: 12_000_000,
  kills: 8,
  minutes: calm(),
  rows: 1000,
  different: 0,
  late: 0,
  skipped: 0,
  topics: [
    { topic: 'readings', bytes: 70 * MIB, bytesMax: 80 * MIB },
    { topic: 'changelog', bytes: MIB, bytesMax: 10 * MIB, offsets: 9, offsetsMax: 10 },
  ],
  peaks: new Map([['readings', 120 * MIB]]),
}

test('a soak that kept its promises is told so, however old its rows were on a slow machine', () => {
  expect(brokenPromises(plan, good)).toEqual([])
  expect(brokenPromises(plan, { ...good, minutes: calm(() => ({ p99AgeMs: 60_000 })) })).toEqual([])
  expect(brokenPromises(plan, { ...good, minutes: calm(() => ({ records: 1000 })) })).toEqual([])
})

test.each<[string, Partial<SoakResult>]>([
  ['1 of 1000 rows', { different: 1 }],
  ['1 records were late', { late: 1 }],
  ['NaN skipped', { skipped: Number.NaN }],
  ['nobody was killed', { kills: 0 }],
  ['unknown took 1 bytes', { topics: [{ topic: 'unknown', bytes: 1, bytesMax: 0 }] }],
  [
    'changelog was 11 offsets long',
    { topics: [{ topic: 'changelog', bytes: 1, bytesMax: 2, offsets: 11, offsetsMax: 10 }] },
  ],
  ['readings took 1048576000 bytes at its peak', { peaks: new Map([['readings', 1000 * MIB]]) }],
  ['rssBytes grew', { minutes: calm((minute) => ({ rssBytes: minute * 120 * MIB })) }],
  ['openFiles grew', { minutes: calm((minute) => ({ openFiles: minute * 80 })) }],
  ['rssBytes grew', { minutes: calm(() => ({ rssBytes: Number.NaN })) }],
])('a soak in which %s is no success', (words, changed) => {
  expect(brokenPromises(plan, { ...good, ...changed })).toEqual([
    expect.stringContaining(words) as string,
  ])
})
