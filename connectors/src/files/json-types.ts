import type { ColumnType } from '@millrace/processors'

/** The column type that a value of a row asks for; undefined when it is null and fits any. */
export function typeOfValue(value: unknown): ColumnType | undefined {
  if (value === null || value === undefined) return undefined
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? 'int64' : 'decimal'
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'int64' : 'float64'
  if (value instanceof Date) return 'timestamp'
  return value instanceof Uint8Array ? 'bytes' : 'json'
}

const NUMBERS: readonly (ColumnType | undefined)[] = ['int64', 'float64', 'decimal']

/** The narrowest type that holds values of both. */
export function widerType(
  a: ColumnType | undefined,
  b: ColumnType | undefined,
): ColumnType | undefined {
  if (a === undefined || a === b) return b
  if (b === undefined) return a
  const wider = NUMBERS[Math.max(NUMBERS.indexOf(a), NUMBERS.indexOf(b))]
  return NUMBERS.includes(a) && NUMBERS.includes(b) && wider ? wider : 'json'
}
