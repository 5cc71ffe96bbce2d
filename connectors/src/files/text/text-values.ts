import { timeOfText } from '@millrace/core/internal'
import type { Column, ColumnType } from '@millrace/processors'
import { parseJson } from '../parse-json.ts'

/** What a reading of text gives when the text is no such value. */
export const MISFIT = Symbol('misfit')

/** Reads a field of text as a value of one type, or says {@link MISFIT}. */
export type ReadText = (text: string) => unknown

const INTEGER = /^[+-]?\d+$/
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const INT64_MAX = 2n ** 63n - 1n

/**
 * How text becomes a value: integers as numbers where that is exact and bigints past it; times, dates,
 * decimals and UUIDs stay the text that they are, once it is clear that they are some.
 */
export const readText: Readonly<Record<ColumnType, ReadText>> = {
  string: (text) => text,
  boolean: (text) => booleans.get(text.toLowerCase()) ?? MISFIT,
  int32: (text) => {
    const value = INTEGER.test(text) ? Number(text) : MISFIT
    return typeof value === 'number' && (value | 0) === value ? value : MISFIT
  },
  int64: readInt64,
  float64: readFloat,
  decimal: (text) => (DECIMAL.test(text) ? text : MISFIT),
  timestamp: (text) => (Number.isNaN(timeOfText(text)) ? MISFIT : text),
  date: (text) => (text.length === 10 ? readText.timestamp(text) : MISFIT),
  uuid: (text) => (UUID.test(text) ? text : MISFIT),
  json: readJson,
  bytes: (text) =>
    /^\\x(?:[0-9a-f]{2})*$/i.test(text) ? Buffer.from(text.slice(2), 'hex') : MISFIT,
}

const booleans = new Map([
  ...['true', 't', 'yes', 'y', '1'].map((text) => [text, true] as const),
  ...['false', 'f', 'no', 'n', '0'].map((text) => [text, false] as const),
])

const floats = new Map([
  ['nan', NaN],
  ['infinity', Infinity],
  ['inf', Infinity],
  ['-infinity', -Infinity],
  ['-inf', -Infinity],
])

function readInt64(text: string): unknown {
  if (!INTEGER.test(text)) return MISFIT
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  const exact = BigInt(text.startsWith('+') ? text.slice(1) : text)
  return exact <= INT64_MAX && exact >= -INT64_MAX - 1n ? exact : MISFIT
}

function readFloat(text: string): unknown {
  if (!DECIMAL.test(text)) return floats.get(text.toLowerCase()) ?? MISFIT
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  // An integer past 2^53 among floats would be another one, but for those that floats are written as.
  const isRounded = INTEGER.test(text) && String(value) !== text.replace('+', '')
  return isRounded || !Number.isFinite(value) ? MISFIT : value
}

function readJson(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return MISFIT
  }
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

// Inference is stricter than reading: 007 may be a number plate, and 1 is rather one than true.
const inferred: readonly (readonly [ColumnType, (text: string) => boolean])[] = [
  ['boolean', (text) => /^(?:true|false|t|f)$/i.test(text)],
  ['int64', (text) => /^-?(?:0|[1-9]\d*)$/.test(text) && readInt64(text) !== MISFIT],
  ['decimal', (text) => /^-?[1-9]\d*$/.test(text)],
  ['float64', (text) => NUMBER.test(text) && readFloat(text) !== MISFIT],
  ['decimal', (text) => NUMBER.test(text)],
  ['date', (text) => readText.date(text) !== MISFIT],
  ['timestamp', (text) => text.length > 10 && readText.timestamp(text) !== MISFIT],
  ['uuid', (text) => UUID.test(text)],
  ['json', (text) => /^\s*[[{]/.test(text) && readJson(text) !== MISFIT],
]

/** The narrowest type that fits all of a sample's texts; `string` when there are none. */
export function inferType(texts: readonly string[]): ColumnType {
  if (texts.length === 0) return 'string'
  return inferred.find(([, fits]) => texts.every(fits))?.[0] ?? 'string'
}

/** Says in words what a column takes, for error messages. */
export function describeType(column: Column): string {
  return column.type === 'string' ? 'text' : column.type
}
