import { RejectedError } from '@millrace/core'
import { checkCallback } from '../check-description.ts'
import type { Aggregate } from './aggregate.ts'

/** Counts as zero in sums and means, and is passed over by `min` and `max`, as in SQL. */
type Missing = null | undefined

/** Sum of numbers (or of bigints); 0 when there are none. Null and undefined are passed over. */
export function sum<V, T extends number | bigint | Missing>(
  of: (value: V) => T,
): Aggregate<V, [Extract<T, bigint>] extends [never] ? number : bigint> {
  checkCallback('sum', of)
  return {
    kind: 'sum',
    width: 1,
    start(cells, at) {
      cells[at] = 0
    },
    add(cells, at, value) {
      const part = of(value)
      if (part === null || part === undefined) return
      const total = cells[at] as number | bigint
      if (typeof part === 'number' && typeof total === 'number')
        cells[at] = total + finite(part, 'sum')
      else cells[at] = addBigint(total, part)
    },
    result: (cells, at) => cells[at] as never,
  }
}

/** Arithmetic mean of numbers (or bigints), kept as sum and count; null when there are none. Null and undefined are passed over. */
export function mean<V, T extends number | bigint | Missing>(
  of: (value: V) => T,
): Aggregate<V, [Extract<T, Missing>] extends [never] ? number : number | null> {
  checkCallback('mean', of)
  return {
    kind: 'mean',
    width: 2,
    columnType: 'float64',
    start(cells, at) {
      cells[at] = 0
      cells[at + 1] = 0
    },
    add(cells, at, value) {
      const part = of(value)
      if (part === null || part === undefined) return
      cells[at] = (cells[at] as number) + finite(Number(part), 'mean')
      cells[at + 1] = (cells[at + 1] as number) + 1
    },
    result(cells, at) {
      const values = cells[at + 1] as number
      return (values === 0 ? null : (cells[at] as number) / values) as number
    },
  }
}

function addBigint(total: number | bigint, part: number | bigint): bigint {
  if (typeof part === 'bigint' && (typeof total === 'bigint' || total === 0)) {
    return BigInt(total) + part
  }
  throw new RejectedError(
    'CALLBACK_FAILED',
    `sum got the ${typeof part} ${String(part)} after ${typeof total}s; let its callback give numbers only or bigints only`,
  )
}

function finite(part: number, kind: string): number {
  if (typeof part === 'number' && Number.isFinite(part)) return part
  throw new RejectedError(
    'CALLBACK_FAILED',
    `${kind} got ${String(part)}, which no sum survives; filter such records out or give null for them`,
  )
}
