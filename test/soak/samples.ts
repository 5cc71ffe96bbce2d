/** What a soaked process was like during one minute. */
export interface Minute {
  readonly minute: number
  readonly records: number
  readonly kills: number
  /** Medians of the minute. */
  readonly rssBytes: number
  readonly openFiles: number
  readonly diskBytes: number
  /** Ages of the newest record in the newest window row, as a reader of the table sees them. */
  readonly p50AgeMs: number
  readonly p99AgeMs: number
}

/** What is looked at in each minute, and how its verdict comes. */
export type Measure = 'rssBytes' | 'openFiles' | 'diskBytes' | 'p99AgeMs'

/** The value below which a share of the values lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** The middle value; NaN of none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

// The first part of a run fills caches, and topics up to their retention.
const WARM_UP_SHARE = 0.2

/** How much a measure grew: the median of the last third against that of the first, after a warm-up. */
export function growth(minutes: readonly Minute[], measure: Measure): number {
  const warm = minutes.slice(Math.ceil(minutes.length * WARM_UP_SHARE))
  const third = Math.max(1, Math.floor(warm.length / 3))
  const of = (part: readonly Minute[]) => median(part.map((minute) => minute[measure]))
  return of(warm.slice(-third)) / of(warm.slice(0, third))
}
