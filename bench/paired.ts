/** One measured way of doing the same work; resolves with work units a second (records, rows, bytes). */
export type Measured = () => Promise<number>

/** What paired, alternated rounds gave. */
export interface Comparison {
  /** Median of the rounds' ratios, ours / baseline. */
  readonly ratio: number
  readonly ratioMin: number
  readonly ratioMax: number
  /** Medians, in units a second. */
  readonly ours: number
  readonly baseline: number
  readonly rounds: number
}

/**
 * Runs baseline and candidate in turn, the order flipped each round, and compares within each round:
 * a disk or machine that changes speed between rounds (4× was seen) then changes both alike.
 */
export async function compare(ours: Measured, baseline: Measured, rounds = 9): Promise<Comparison> {
  const pairs: { ours: number; baseline: number }[] = []
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      const base = await baseline()
      pairs.push({ baseline: base, ours: await ours() })
    } else {
      const mine = await ours()
      pairs.push({ ours: mine, baseline: await baseline() })
    }
  }
  const ratios = pairs.map((pair) => pair.ours / pair.baseline)
  return {
    ratio: median(ratios),
    ratioMin: Math.min(...ratios),
    ratioMax: Math.max(...ratios),
    ours: median(pairs.map((pair) => pair.ours)),
    baseline: median(pairs.map((pair) => pair.baseline)),
    rounds,
  }
}

/** The middle value; the mean of the middle two for an even count. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** The value below which `share` (0–1) of the values lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
