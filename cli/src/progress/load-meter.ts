import type { LoadProgress } from '@millrace/connectors'
import type { Meter } from './progress-line.ts'

/** The meter of a load. */
export function loadMeter(id: string, progress: LoadProgress): Meter {
  const { rows, bytes, bytesTotal, rowsPerSecond, bytesPerSecond, remainingMs } = progress
  return {
    id,
    state: 'running',
    rows,
    rowsPerSecond,
    bytesPerSecond,
    fraction: bytesTotal === undefined || bytesTotal === 0 ? undefined : bytes / bytesTotal,
    secondsLeft: remainingMs === undefined ? undefined : remainingMs / 1000,
    troubles: {},
  }
}
