/** A stretch of an input: bytes of text or rows, the first included, the last not. */
export type Range = readonly [from: number, until: number]

/** Adds a stretch to others that are in order and apart; those that touch become one. */
export function addRange(ranges: readonly Range[], [from, until]: Range): Range[] {
  if (from >= until) return [...ranges]
  const before = ranges.filter(([, end]) => end < from)
  const after = ranges.filter(([start]) => start > until)
  const touching = ranges.slice(before.length, ranges.length - after.length)
  const start = Math.min(from, ...touching.map(([first]) => first))
  const end = Math.max(until, ...touching.map(([, last]) => last))
  return [...before, [start, end], ...after]
}

/** What is left out by stretches that are in order and apart; the last has no end. */
export function gapsBetween(ranges: readonly Range[]): Range[] {
  const starts = [0, ...ranges.map(([, until]) => until)]
  const ends = [...ranges.map(([from]) => from), Infinity]
  return starts
    .map((start, index): Range => [start, ends[index] as number])
    .filter(([start, end]) => start < end)
}

/** How much the stretches hold. */
export function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [from, until]) => sum + until - from, 0)
}
