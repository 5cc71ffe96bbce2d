import { isExactNumber } from '../../exact-number.ts'
import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'
import { writeInt64 } from './integers.ts'

/** PostgreSQL counts from 2000-01-01. */
const epochMs = Date.UTC(2000, 0, 1)
const dayMs = 86_400_000
const epochDays = epochMs / dayMs
/** 4714-11-24 BC, the first day that PostgreSQL knows. */
const dayMin = -2_451_545
const dayMax = 2_147_483_493
const microsMin = -211_813_488_000_000_000n
const microsMax = 9_223_371_331_199_999_999n
const infinity = 2n ** 63n - 1n

const timeText =
  /^\s*(\d{4,7})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?\s*$/i

function timeCodec(type: string): ColumnCodec {
  return {
    type,
    write: (out, value) => writeInt64(out, microsOf(value)),
    text: isoOf,
  }
}

/**
 * `timestamp with time zone`: Dates, milliseconds since 1970 (fractions down to a microsecond,
 * ±Infinity), ISO 8601 text; text without a zone is UTC.
 */
export const timestamptz = timeCodec('timestamp with time zone')

/** `timestamp without time zone`: the same, stored as UTC. */
export const timestamp = timeCodec('timestamp without time zone')

/** `date`: the same, its day in UTC. */
export const date: ColumnCodec = {
  type: 'date',
  write(out, value) {
    const days = daysOf(value)
    out.reserve(8)
    out.view.setInt32(out.position, 4)
    out.view.setInt32(out.position + 4, days)
    out.position += 8
  },
  text: (value) => (typeof value === 'string' ? value : isoOf(value)),
}

/** Microseconds since 2000-01-01 UTC; a number where it is a safe integer. */
export function microsOf(value: unknown): number | bigint {
  if (value instanceof Date) return microsOfMs(value.getTime(), value)
  if (typeof value === 'number') return microsOfMs(value, value)
  if (typeof value === 'bigint') return checkedMicros((value - BigInt(epochMs)) * 1000n, value)
  if (typeof value === 'string') return microsOfText(value)
  if (isExactNumber(value)) return microsOf(Number(value.rawJSON))
  throw new UnfitValue(sqlState.invalidTime, value, 'is not a time')
}

function microsOfMs(ms: number, value: unknown): number | bigint {
  const micros = Math.round((ms - epochMs) * 1000)
  if (Number.isSafeInteger(micros)) return micros
  if (ms === Infinity) return infinity
  if (ms === -Infinity) return -infinity - 1n
  if (Number.isNaN(ms)) throw new UnfitValue(sqlState.invalidTime, value, 'is not a time')
  return checkedMicros(BigInt(Math.round(ms - epochMs)) * 1000n, value)
}

function microsOfText(text: string): number | bigint {
  const parts = timeText.exec(text)
  if (parts === null) return infinityOfText(text)
  const days = dayOfParts(parts, text)
  const [hours, minutes, seconds] = [
    Number(parts[4] ?? 0),
    Number(parts[5] ?? 0),
    Number(parts[6] ?? 0),
  ]
  if (hours > 23 || minutes > 59 || seconds > 59) throw outOfRange(text)
  const fraction = parts[7] === undefined ? 0 : Math.round(Number(`0.${parts[7]}`) * 1e6)
  const dayMicros = ((hours * 60 + minutes - zoneMinutes(parts[8])) * 60 + seconds) * 1e6 + fraction
  const micros = days * dayMs * 1000 + dayMicros
  if (Number.isSafeInteger(micros)) return micros
  return checkedMicros(BigInt(days) * BigInt(dayMs * 1000) + BigInt(dayMicros), text)
}

function daysOf(value: unknown): number {
  if (typeof value === 'string') {
    const parts = timeText.exec(value)
    if (parts !== null) return checkedDay(dayOfParts(parts, value), value)
    return infinityOfText(value) > 0 ? 2 ** 31 - 1 : -(2 ** 31)
  }
  const ms =
    value instanceof Date ? value.getTime() : typeof value === 'bigint' ? Number(value) : value
  if (typeof ms !== 'number' || Number.isNaN(ms)) {
    throw new UnfitValue(sqlState.invalidTime, value, 'is not a date')
  }
  if (ms === Infinity) return 2 ** 31 - 1
  if (ms === -Infinity) return -(2 ** 31)
  return checkedDay(Math.floor(ms / dayMs) - epochDays, value)
}

function dayOfParts(parts: RegExpExecArray, text: string): number {
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])]
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) {
    throw outOfRange(text)
  }
  return daysFromCivil(year, month, day) - epochDays
}

function zoneMinutes(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z' || zone === 'z') return 0
  const digits = zone.replace(':', '')
  const minutes = Number(digits.slice(1, 3)) * 60 + Number(digits.slice(3) || 0)
  return digits.startsWith('-') ? -minutes : minutes
}

function infinityOfText(text: string): bigint {
  const word = text.trim().toLowerCase()
  if (word === 'infinity') return infinity
  if (word === '-infinity') return -infinity - 1n
  throw new UnfitValue(sqlState.invalidTime, text, 'is not a time as in 2001-01-31T23:59:59.5Z')
}

/** Days since 1970-01-01 of a date of the Gregorian calendar (years begin in March here). */
function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
  return era * 146_097 + yearOfEra * 365 + leapDays + dayOfYear - 719_468
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function checkedMicros(micros: bigint, value: unknown): bigint {
  if (micros < microsMin || micros > microsMax) throw outOfRange(value)
  return micros
}

function checkedDay(days: number, value: unknown): number {
  if (days < dayMin || days > dayMax) throw outOfRange(value)
  return days
}

function outOfRange(value: unknown): UnfitValue {
  return new UnfitValue(sqlState.timeOutOfRange, value, 'is not a time that PostgreSQL knows')
}

function isoOf(value: unknown): string {
  const micros = BigInt(microsOf(value))
  if (micros === infinity) return 'infinity'
  if (micros === -infinity - 1n) return '-infinity'
  if (typeof value === 'string') {
    const parts = timeText.exec(value)
    if (parts?.[4] === undefined) return `${value.trim()} 00:00+00`
    if (parts[8] === undefined) return `${value.trim()}+00`
  }
  const ofMs = ((micros % 1000n) + 1000n) % 1000n
  const date = new Date(Number((micros - ofMs) / 1000n) + epochMs)
  if (Number.isNaN(date.getTime())) throw outOfRange(value)
  const iso = date.toISOString().replace('Z', `${String(ofMs).padStart(3, '0')}Z`)
  // Years beyond 9999 carry a sign and six digits in JavaScript; PostgreSQL writes BC behind.
  if (iso.startsWith('+')) return iso.slice(1)
  if (!iso.startsWith('-') && !iso.startsWith('0000')) return iso
  const yearEnd = iso.indexOf('-', 1)
  const year = String(1 - Number(iso.slice(0, yearEnd))).padStart(4, '0')
  return `${year}${iso.slice(yearEnd)} BC`
}
