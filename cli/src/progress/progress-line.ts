import type { StageProgress } from '@millrace/processors'
import { shortCount, shortDuration } from '../numbers.ts'

/** What a line of progress is made of: a stage of a run, or a load. */
export interface Meter {
  readonly id: string
  /** Said instead of the time left, unless it is `running`. */
  readonly state: string
  /** Done, earlier runs included. */
  readonly rows: number
  readonly rowsPerSecond: number
  readonly bytesPerSecond: number
  /** From 0 to 1; undefined when the end isn't known. */
  readonly fraction: number | undefined
  readonly secondsLeft: number | undefined
  /** What went wrong with how many records. */
  readonly troubles: Readonly<Record<string, number>>
}

/** The meter of a stage of a run. */
export function stageMeter(stage: StageProgress): Meter {
  return stage.state === 'restoring' ? restoreMeter(stage) : runMeter(stage)
}

/** Until its state is back a stage counts changelog records. */
function restoreMeter(stage: StageProgress): Meter {
  const { id, state, restored, restoreLeft, rowsPerSecond } = stage
  return {
    id,
    state,
    rows: restored,
    rowsPerSecond,
    bytesPerSecond: 0,
    fraction: fractionOf(restored, restoreLeft),
    secondsLeft: rowsPerSecond <= 0 ? undefined : restoreLeft / rowsPerSecond,
    troubles: {},
  }
}

function runMeter(stage: StageProgress): Meter {
  const { id, state, bytes, rowsPerSecond, rowsLeft, late, skipped, deadLetters } = stage
  const rows = stage.rowsBefore + stage.rows
  const bytesPerRow = stage.rows === 0 ? 0 : bytes / stage.rows
  return {
    id,
    state,
    rows,
    rowsPerSecond,
    bytesPerSecond: rowsPerSecond * bytesPerRow,
    fraction: state === 'ended' ? 1 : fractionOf(rows, rowsLeft),
    secondsLeft:
      rowsLeft === undefined || rowsPerSecond <= 0 ? undefined : rowsLeft / rowsPerSecond,
    troubles: { late, skipped: skipped - deadLetters, 'dead letters': deadLetters },
  }
}

function fractionOf(rows: number, rowsLeft: number | undefined): number | undefined {
  return rowsLeft === undefined || rows + rowsLeft === 0 ? undefined : rows / (rows + rowsLeft)
}

/** `1.86 M rows  612 k rows/s  42.1 MB/s  ETA 2s`, and what went wrong, if anything. */
export function progressFacts(meter: Meter): string {
  const { rows, rowsPerSecond, bytesPerSecond, secondsLeft, state, troubles } = meter
  const isRestoring = state === 'restoring'
  const what = isRestoring ? 'records of state' : 'rows'
  const facts = [`${shortCount(rows)} ${what}`, `${shortCount(rowsPerSecond)} rows/s`]
  if (bytesPerSecond > 0) facts.push(`${(bytesPerSecond / 1e6).toFixed(1)} MB/s`)
  const isTimed = state === 'running' || isRestoring
  if (isTimed && secondsLeft !== undefined) facts.push(`ETA ${shortDuration(secondsLeft)}`)
  if (state !== 'running') facts.push(state)
  for (const [name, count] of Object.entries(troubles)) {
    if (count > 0) facts.push(`${shortCount(count)} ${name}`)
  }
  return facts.join('  ')
}
