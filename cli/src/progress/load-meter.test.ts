import { expect, test } from 'vitest'
import { loadMeter } from './load-meter.ts'
import { progressFacts } from './progress-line.ts'

test('a load is measured by the bytes of its file', () => {
  const meter = loadMeter('flights.csv', {
    rows: 100,
    rowsTotal: undefined,
    rejected: 0,
    files: 1,
    filesDone: 0,
    bytes: 250,
    bytesTotal: 1000,
    elapsedMs: 1000,
    rowsPerSecond: 100,
    bytesPerSecond: 250,
    remainingMs: 3000,
  })
  expect(meter.fraction).toBe(0.25)
  expect(progressFacts(meter)).toContain('ETA 3.0s')
})
