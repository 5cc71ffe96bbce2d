import type { LoadProgress } from '@millrace/connectors'
import type { Meter } from './progress-line.ts'

/** The meter of a load. */
export function loadMeter(id: string, progress: LoadProgress): Meter {
  const { rows, rowsTotal, bytes, bytesTotal, rejected } = progress
  const { rowsPerSecond, bytesPerSecond, remainingMs } = progress
  const fraction = fractionOf(bytes, bytesTotal) ?? fractionOf(rows, rowsTotal)
  return {
    id,
    state: 'running',
    rows,
    rowsPerSecond,
    bytesPerSecond,
    fraction,
    secondsLeft: remainingMs === undefined ? undefined : remainingMs / 1000,
    troubles: { refused: rejected },
  }
}

function fractionOf(done: number, total: number | undefined): number | undefined {
  return total === undefined || total === 0 ? undefined : Math.min(1, done / total)
}
