import type { StageProgress } from '@millrace/processors'
import { expect, test } from 'vitest'
import { progressFacts, stageMeter } from './progress-line.ts'

const stage: StageProgress = {
  id: 'flights',
  kind: 'deliver',
  state: 'running',
  rows: 1_000_000,
  bytes: 40_000_000,
  rowsPerSecond: 500_000,
  rowsBefore: 500_000,
  rowsLeft: 1_500_000,
  bytesTotal: undefined,
  late: 0,
  withoutKey: 0,
  skipped: 0,
  deadLetters: 0,
  restored: 0,
  restoreLeft: 0,
}

test('a line tells rows, speed, bytes and the time left', () => {
  expect(progressFacts(stageMeter(stage))).toBe('1.50 M rows  500 k rows/s  20.0 MB/s  ETA 3.0s')
})

test('without a known end there is no time left to tell, and no fraction', () => {
  const meter = stageMeter({ ...stage, rowsLeft: undefined })
  expect(progressFacts(meter)).not.toContain('ETA')
  expect(meter.fraction).toBeUndefined()
})

test('what earlier runs did counts as done', () => {
  expect(stageMeter(stage).fraction).toBe(0.5)
  expect(stageMeter({ ...stage, state: 'ended' }).fraction).toBe(1)
})

test('late, skipped and dead-lettered records are never kept quiet', () => {
  const facts = progressFacts(stageMeter({ ...stage, late: 3, skipped: 7, deadLetters: 5 }))
  expect(facts).toContain('3 late  2 skipped  5 dead letters')
})

test('a stage that is not running says what it does instead', () => {
  expect(progressFacts(stageMeter({ ...stage, state: 'restoring' }))).toContain('restoring')
})

test('a stage that reads its state back tells how many records, how fast, and the time left', () => {
  const meter = stageMeter({
    ...stage,
    state: 'restoring',
    rows: 0,
    rowsBefore: 0,
    restored: 2_500_000,
    restoreLeft: 7_500_000,
  })
  expect(progressFacts(meter)).toBe('2.50 M records of state  500 k rows/s  ETA 15s  restoring')
  expect(meter.fraction).toBe(0.25)
})
