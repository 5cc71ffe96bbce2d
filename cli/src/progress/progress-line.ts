import { shortCount, shortDuration } from '../numbers.ts'

/** What a line of progress is made of; a stage of a run or a load. */
export interface Meter {
  readonly id: string
  readonly state: string
  /** Done by this run. */
  readonly rows: number
  readonly bytes: number
  readonly rowsPerSecond: number
  /** Done by earlier runs. */
  readonly rowsBefore: number
  /** Undefined: nobody knows how much is left. */
  readonly rowsLeft: number | undefined
  readonly late?: number
  readonly skipped?: number
  readonly deadLetters?: number
}

/** How far it is, from 0 to 1; undefined when the end isn't known. */
export function fractionDone(meter: Meter): number | undefined {
  if (meter.state === 'ended') return 1
  if (meter.rowsLeft === undefined) return undefined
  const done = meter.rowsBefore + meter.rows
  const total = done + meter.rowsLeft
  return total === 0 ? undefined : done / total
}

/** `1.86 M rows  612 k rows/s  42.1 MB/s  ETA 2s`, and what went wrong, if anything. */
export function progressFacts(meter: Meter): string {
  const { rows, bytes, rowsPerSecond, rowsLeft, state } = meter
  const facts = [`${shortCount(rows)} rows`, `${shortCount(rowsPerSecond)} rows/s`]
  if (bytes > 0 && rows > 0) {
    facts.push(`${((rowsPerSecond * bytes) / rows / 1e6).toFixed(1)} MB/s`)
  }
  if (state !== 'running') facts.push(state)
  else if (rowsLeft !== undefined && rowsPerSecond > 0) {
    facts.push(`ETA ${shortDuration(rowsLeft / rowsPerSecond)}`)
  }
  for (const [name, count] of troubles(meter)) {
    if (count > 0) facts.push(`${shortCount(count)} ${name}`)
  }
  return facts.join('  ')
}

function troubles({ late = 0, skipped = 0, deadLetters = 0 }: Meter) {
  return [
    ['late', late],
    ['skipped', skipped - deadLetters],
    ['dead letters', deadLetters],
  ] as const
}
