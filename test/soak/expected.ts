import { readingAt, ROOMS, SENSORS, WINDOW_MS } from './pipeline.ts'

/** What all readings of a group come to. */
export interface Sums {
  readings: number
  total: number
}

/** The rows that both tables must hold after so many records, by `sensor window_start` and by room. */
export function expectedSums(
  count: number,
  rate: number,
): { windows: Map<string, Sums>; totals: Map<string, Sums> } {
  const windows = new Map<string, Sums>()
  const totals = new Map<string, Sums>()
  // Rows of one window are kept at hand: hundreds of millions of records are looked up.
  let atHand: Sums[] = []
  let atHandMs = Number.NaN
  const rooms = Array.from({ length: ROOMS }, (_, n) => rowOf(totals, `r${n}`))
  for (let n = 0; n < count; n++) {
    const { value, time } = readingAt(n, rate)
    const startMs = time - (time % WINDOW_MS)
    if (startMs !== atHandMs) {
      atHandMs = startMs
      atHand = Array.from({ length: SENSORS }, (_, s) => rowOf(windows, `s${s} ${startMs}`))
    }
    add(atHand[n % SENSORS], value)
    add(rooms[n % ROOMS], value)
  }
  for (const sums of [windows, totals]) {
    for (const [key, { readings }] of sums) if (readings === 0) sums.delete(key)
  }
  return { windows, totals }
}

function rowOf(rows: Map<string, Sums>, key: string): Sums {
  const row = { readings: 0, total: 0 }
  rows.set(key, row)
  return row
}

function add(sums: Sums | undefined, value: number): void {
  if (sums === undefined) return
  sums.readings++
  sums.total += value
}
