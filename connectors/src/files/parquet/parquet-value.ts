import { timeOfText } from '@millrace/core/internal'
import type { ColumnType } from '@millrace/processors'
import { jsonText } from '../../json-text.ts'
import { MISFIT, readText } from '../text/text-values.ts'

const DAY_MS = 86_400_000
const INT32_MAX = 2 ** 31 - 1
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** A value (not null) as its column stores it; undefined when it doesn't fit. */
export function parquetValue(type: ColumnType, value: unknown): unknown {
  return values[type](value)
}

const values: Readonly<Record<ColumnType, (value: unknown) => unknown>> = {
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  int32: (value) => {
    const integer = typeof value === 'bigint' ? Number(value) : value
    return Number.isInteger(integer) && Math.abs(integer as number) <= INT32_MAX
      ? integer
      : undefined
  },
  int64: (value) => {
    if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? value : undefined
    return Number.isSafeInteger(value) ? BigInt(value as number) : undefined
  },
  float64: (value) => {
    if (typeof value === 'bigint') return Number(value)
    return typeof value === 'number' ? value : undefined
  },
  decimal: (value) => {
    const text = typeof value === 'string' ? value : isNumber(value) ? String(value) : ''
    return DECIMAL.test(text) ? text : undefined
  },
  string: (value) => (typeof value === 'string' ? value : undefined),
  bytes: (value) => (value instanceof Uint8Array ? value : undefined),
  timestamp: (value) => {
    const ms = msOf(value)
    return ms === undefined ? undefined : BigInt(Math.round(ms * 1000))
  },
  date: (value) => {
    const ms = msOf(value)
    return ms === undefined ? undefined : Math.floor(ms / DAY_MS)
  },
  uuid: (value) =>
    typeof value === 'string' && readText.uuid(value) !== MISFIT ? value : undefined,
  json: (value) => Buffer.from(jsonText(value)),
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** Milliseconds since 1970 of a date, a number of them, or their text. */
export function msOf(value: unknown): number | undefined {
  const read = typeof value === 'string' ? timeOfText(value) : value
  const ms = read instanceof Date ? read.getTime() : read
  return typeof ms === 'number' && Math.abs(ms) <= 8.64e15 ? ms : undefined
}
