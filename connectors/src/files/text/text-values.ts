import type { Column, ColumnType } from '@millrace/processors'

/** What a reading of text gives when the text is no such value. */
export const MISFIT = Symbol('misfit')

/** Reads a field of text as a value of one type, or says {@link MISFIT}. */
export type ReadText = (text: string) => unknown

const INTEGER = /^[+-]?\d+$/
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/
const INT64_MAX = 2n ** 63n - 1n

/**
 * How text becomes a value: integers as numbers where that is exact and bigints past it, times and
 * dates as milliseconds since 1970 (without a zone: UTC), decimals and UUIDs as text.
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
  timestamp: readTime,
  date: (text) => (text.length === 10 ? readTime(text) : MISFIT),
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
  return DECIMAL.test(text) ? Number(text) : (floats.get(text.toLowerCase()) ?? MISFIT)
}

function readTime(text: string): unknown {
  const usual = readUsualTime(text)
  return usual === undefined ? readAnyTime(text) : usual
}

/** The shape that most files have, `2001-02-03 04:05:06` or `2001-02-03`, without a regular expression. */
function readUsualTime(text: string): number | undefined {
  const { length } = text
  if ((length !== 19 && length !== 10) || text[4] !== '-' || text[7] !== '-') return undefined
  const midnight = midnightOf(
    digits(text, 0) * 100 + digits(text, 2),
    digits(text, 5),
    digits(text, 8),
  )
  if (midnight === undefined || length === 10) return midnight
  if (text[13] !== ':' || text[16] !== ':' || (text[10] !== ' ' && text[10] !== 'T'))
    return undefined
  const hour = digits(text, 11)
  const minute = digits(text, 14)
  const second = digits(text, 17)
  // Not a number (no digits) fails these comparisons too.
  if (!(hour < 24 && minute < 60 && second < 60)) return undefined
  return midnight + (hour * 3600 + minute * 60 + second) * 1000
}

/** The number that two digits make; NaN when they are none. */
function digits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN
}

/** Midnight UTC; undefined when the month has no such day. */
function midnightOf(year: number, month: number, day: number): number | undefined {
  if (!(year >= 100 && month >= 1 && month <= 12 && day >= 1 && day <= 31)) return undefined
  const midnight = Date.UTC(year, month - 1, day)
  return day > 28 && new Date(midnight).getUTCDate() !== day ? undefined : midnight
}

function readAnyTime(text: string): unknown {
  const match = TIME.exec(text)
  if (!match) return MISFIT
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] =
    match
  const midnight = midnightOf(Number(year), Number(month), Number(day))
  if (midnight === undefined) return MISFIT
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return MISFIT
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second)
  const micros = Number(fraction.slice(0, 6).padEnd(6, '0'))
  return midnight + seconds * 1000 + micros / 1000 - zoneMs(zone)
}

function zoneMs(zone: string): number {
  if (zone === 'Z') return 0
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? []
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000
  return sign === '-' ? -ms : ms
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return MISFIT
  }
}

// Inference is stricter than reading: 007 may be a number plate, and 1 is rather one than true.
const inferred: readonly (readonly [ColumnType, (text: string) => boolean])[] = [
  ['boolean', (text) => /^(?:true|false|t|f)$/i.test(text)],
  ['int64', (text) => /^-?(?:0|[1-9]\d*)$/.test(text) && readInt64(text) !== MISFIT],
  ['decimal', (text) => /^-?[1-9]\d*$/.test(text)],
  ['float64', (text) => /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)],
  ['date', (text) => readText.date(text) !== MISFIT],
  ['timestamp', (text) => text.length > 10 && readTime(text) !== MISFIT],
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
