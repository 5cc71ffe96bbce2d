import { RejectedError } from '@millrace/core'
import { checkCallback } from '../check-description.ts'
import type { Aggregate } from './aggregate.ts'

/** What `min` and `max` can compare. */
export type Comparable = number | bigint | string | Date

/** What `min` and `max` give: null can come only of values that can be missing. */
type Extreme<T> = [Extract<T, null | undefined>] extends [never]
  ? Widen<T>
  : Widen<NonNullable<T>> | null

type Widen<T> = T extends number
  ? number
  : T extends string
    ? string
    : T extends bigint
      ? bigint
      : T

/** The least value; null when there are none. Null and undefined are passed over. */
export function min<V, T extends Comparable | null | undefined>(
  of: (value: V) => T,
): Aggregate<V, Extreme<T>> {
  return extreme('min', of, (part, kept) => part < kept)
}

/** The greatest value; null when there are none. Null and undefined are passed over. */
export function max<V, T extends Comparable | null | undefined>(
  of: (value: V) => T,
): Aggregate<V, Extreme<T>> {
  return extreme('max', of, (part, kept) => part > kept)
}

function extreme<V, T extends Comparable | null | undefined>(
  kind: string,
  of: (value: V) => T,
  isBetter: (part: Comparable, kept: Comparable) => boolean,
): Aggregate<V, Extreme<T>> {
  checkCallback(kind, of)
  return {
    kind,
    width: 1,
    start(cells, at) {
      cells[at] = null
    },
    add(cells, at, value) {
      const part = of(value)
      if (part === null || part === undefined) return
      // The only values that are not equal to themselves: NaN and invalid dates.
      if (Number.isNaN(typeof part === 'object' ? part.getTime() : part)) {
        throw new RejectedError(
          'CALLBACK_FAILED',
          `${kind} got ${String(part)}, which has no place in any order; filter such records out or give null for them`,
        )
      }
      const kept = cells[at] as Comparable | null
      if (kept === null || isBetter(part, kept)) cells[at] = part
    },
    result: (cells, at) => cells[at] as Extreme<T>,
  }
}
