import { didYouMean } from '@millrace/core/options'

/** The nearest of the names; where none is near, those that there are, as long as they are few. */
export function nearestOrAll(typed: string, names: readonly string[]): string {
  if (names.length > 20) return didYouMean(typed, names)
  const all = names.length === 0 ? ' There are none yet.' : ` There are: ${names.join(', ')}.`
  return didYouMean(typed, names) || all
}
