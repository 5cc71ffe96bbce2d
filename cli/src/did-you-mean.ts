/** The nearest of the names; where none is near, those that there are, as long as they are few. */
export function nearestOrAll(typed: string, names: readonly string[]): string {
  if (names.length > 20) return didYouMean(typed, names)
  const all = names.length === 0 ? ' There are none yet.' : ` There are: ${names.join(', ')}.`
  return didYouMean(typed, names) || all
}

/** ` Did you mean "x"?` for the nearest of the names, or nothing when none is near. */
export function didYouMean(typed: string, names: Iterable<string>): string {
  let best: string | undefined
  let bestDistance = Math.floor(typed.length / 3) + 1
  for (const name of names) {
    const distance = editDistance(typed.toLowerCase(), name.toLowerCase())
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best === undefined ? '' : ` Did you mean "${best}"?`
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replace = (last[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      let cost = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, replace)
      if (row > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1)
      }
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return last[to.length] ?? 0
}
