/** What a soaked process was like during one minute. */
export interface Minute {
  readonly minute: number
  readonly records: number
  readonly kills: number
  /** Nobody was killed, and one life lived all of it. */
  readonly isCalm: boolean
  /** Medians of the minute. */
  readonly rssBytes: number
  readonly openFiles: number
  readonly diskBytes: number
  /** Ages of the newest record in the newest window row, as a reader of the table sees them. */
  readonly p50AgeMs: number
  readonly p99AgeMs: number
}

/** What is looked at in each minute. */
export type Measure = 'rssBytes' | 'openFiles' | 'p99AgeMs'

/** The value below which a share of the values lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** The middle value; NaN of none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

// The first part of a life restores, and fills caches.
const WARM_UP_SHARE = 0.2
// Fewer minutes show warming up, not growth.
const TELLING_MINUTES = 4

/** A measure early and late in one long life. */
export interface Growth {
  readonly first: number
  readonly last: number
}

/**
 * The medians of the first and the last third of the life that was left alone, after a warm-up; undefined
 * when it was too short to tell. Over kills nothing would show: each gives everything back.
 */
export function growth(minutes: readonly Minute[], measure: Measure): Growth | undefined {
  const calm = minutes.filter(({ isCalm }) => isCalm)
  if (calm.length < TELLING_MINUTES) return undefined
  const warm = calm.slice(Math.ceil(calm.length * WARM_UP_SHARE))
  const third = Math.floor(warm.length / 3)
  const of = (part: readonly Minute[]) => median(part.map((minute) => minute[measure]))
  return { first: of(warm.slice(0, third)), last: of(warm.slice(-third)) }
}
