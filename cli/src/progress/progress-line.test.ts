import { expect, test } from 'vitest'
import { fractionDone, type Meter, progressFacts } from './progress-line.ts'

const meter: Meter = {
  id: 'flights',
  state: 'running',
  rows: 1_000_000,
  bytes: 40_000_000,
  rowsPerSecond: 500_000,
  rowsBefore: 500_000,
  rowsLeft: 1_500_000,
}

test('a line tells rows, speed, bytes and the time left', () => {
  expect(progressFacts(meter)).toBe('1.00 M rows  500 k rows/s  20.0 MB/s  ETA 3s')
})

test('without a known end there is no time left to tell', () => {
  expect(progressFacts({ ...meter, rowsLeft: undefined })).not.toContain('ETA')
  expect(fractionDone({ ...meter, rowsLeft: undefined })).toBeUndefined()
})

test('what earlier runs did counts as done', () => {
  expect(fractionDone(meter)).toBe(0.5)
  expect(fractionDone({ ...meter, state: 'ended' })).toBe(1)
})

test('late, skipped and dead-lettered records are never kept quiet', () => {
  const facts = progressFacts({ ...meter, late: 3, skipped: 7, deadLetters: 5 })
  expect(facts).toContain('3 late  2 skipped  5 dead letters')
})

test('a stage that is not running says what it does instead', () => {
  expect(progressFacts({ ...meter, state: 'restoring' })).toContain('restoring')
})
