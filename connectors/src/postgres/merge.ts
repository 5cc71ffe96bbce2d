import { isExactNumber } from '../exact-number.ts'
import { UnfitValue, sqlState } from './codecs/column-codec.ts'
import { integerOf } from './codecs/integers.ts'
import { microsOf } from './codecs/times.ts'
import { quoteIdentifier } from './identifier.ts'
import type { WrittenColumn } from './row-encoder.ts'

/**
 * How a new value joins the one that is there. `replace` (the default): the new one stays. `keep`: the
 * old one stays, unless it is null. `add`: their sum. `greatest`, `least`: the larger, the smaller. A
 * null joins as nothing: the other value stays (except with `replace`).
 */
export type MergeRule = 'replace' | 'keep' | 'add' | 'greatest' | 'least'

type Merge = (older: unknown, newer: unknown) => unknown

/**
 * Joins two values of a column in this process, as the server would.
 *
 * @throws UnfitValue (from the function returned) for values that the rule can't join.
 */
export function mergeOf(rule: MergeRule, column: WrittenColumn): Merge {
  switch (rule) {
    case 'replace':
      return (_older, newer) => newer
    case 'keep':
      return nullsAside((older) => older)
    case 'add':
      return nullsAside(adderOf(column))
    case 'greatest':
      return nullsAside((older, newer) => (isLess(older, newer, column) ? newer : older))
    case 'least':
      return nullsAside((older, newer) => (isLess(newer, older, column) ? newer : older))
  }
}

/** The same, by the server: an assignment of `ON CONFLICT … DO UPDATE SET`. */
export function mergeSql(rule: MergeRule, column: WrittenColumn, target: string): string {
  const name = quoteIdentifier(column.name)
  const older = `${target}.${name}`
  const newer = `excluded.${name}`
  // Text is compared as this process does, whatever the column's collation.
  const collate = textTypes.test(column.type) ? ' COLLATE "C"' : ''
  const values: Readonly<Record<MergeRule, string>> = {
    replace: newer,
    keep: `COALESCE(${older}, ${newer})`,
    add: `COALESCE(${older} + ${newer}, ${older}, ${newer})`,
    greatest: `GREATEST(${older}${collate}, ${newer}${collate})`,
    least: `LEAST(${older}${collate}, ${newer}${collate})`,
  }
  return `${name} = ${values[rule]}`
}

const textTypes = /^(text|character|citext)/
const timeTypes = /^(timestamp|date)/
const decimalTypes = /^numeric/
const floatTypes = /^(double precision|real)/

function nullsAside(merge: Merge): Merge {
  return (older, newer) => {
    if (older === null || older === undefined) return newer
    return newer === null || newer === undefined ? older : merge(older, newer)
  }
}

function adderOf({ type }: WrittenColumn): Merge {
  if (decimalTypes.test(type)) return addDecimals
  return floatTypes.test(type) ? (older, newer) => floatOf(older) + floatOf(newer) : add
}

/** Exact, as the server's: what is stored must not depend on which records shared a batch. */
function addDecimals(older: unknown, newer: unknown): unknown {
  const both = aligned(older, newer)
  // NaN and the infinities are no decimals.
  if (both === undefined) return floatOf(older) + floatOf(newer)
  return decimalText(both.older + both.newer, both.scale)
}

function floatOf(value: unknown): number {
  const isNan = typeof value === 'string' ? /^\s*nan\s*$/i.test(value) : Number.isNaN(value)
  if (isNan) return Number.NaN
  return Number(numberOf(value, "can't be added"))
}

function add(older: unknown, newer: unknown): number | bigint {
  if (typeof older === 'number' && typeof newer === 'number') {
    const sum = older + newer
    const isExact =
      Number.isSafeInteger(sum) || !Number.isInteger(older) || !Number.isInteger(newer)
    return isExact ? sum : BigInt(older) + BigInt(newer)
  }
  const [first, second] = [wholeOf(older), wholeOf(newer)]
  return typeof first === 'number' && typeof second === 'number'
    ? add(first, second)
    : BigInt(first) + BigInt(second)
}

function wholeOf(value: unknown): number | bigint {
  try {
    return integerOf(value)
  } catch {
    throw new UnfitValue(sqlState.invalidText, value, "can't be added: it is not a number")
  }
}

function isLess(left: unknown, right: unknown, column: WrittenColumn): boolean {
  if (timeTypes.test(column.type)) return microsOf(left) < microsOf(right)
  const exact = decimalTypes.test(column.type) ? aligned(left, right) : undefined
  if (exact !== undefined) return exact.older < exact.newer
  if (typeof left === 'string' && typeof right === 'string') {
    return textTypes.test(column.type) ? left < right : numberOf(left) < numberOf(right)
  }
  return numberOf(left) < numberOf(right)
}

function numberOf(value: unknown, problem = "can't be compared"): number | bigint {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  if (isExactNumber(value)) return Number(value.rawJSON)
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
  if (!Number.isNaN(number)) return number
  throw new UnfitValue(sqlState.invalidText, value, `${problem}: it is not a number`)
}

const decimal = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,5}))?\s*$/i

/** Both as whole numbers of the same decimal place; undefined when one is no decimal number. */
function aligned(
  older: unknown,
  newer: unknown,
): { older: bigint; newer: bigint; scale: number } | undefined {
  const left = scaled(older)
  const right = scaled(newer)
  if (left === undefined || right === undefined) return undefined
  const scale = Math.max(left.scale, right.scale)
  return {
    older: left.digits * 10n ** BigInt(scale - left.scale),
    newer: right.digits * 10n ** BigInt(scale - right.scale),
    scale,
  }
}

function scaled(value: unknown): { digits: bigint; scale: number } | undefined {
  if (isExactNumber(value)) return scaled(value.rawJSON)
  if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'string') return
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = decimal.exec(String(value)) ?? []
  if (whole + fraction === '') return undefined
  const digits = BigInt(whole + fraction)
  const scale = fraction.length - Number(exponent)
  const signed = sign === '-' ? -digits : digits
  return scale < 0
    ? { digits: signed * 10n ** BigInt(-scale), scale: 0 }
    : { digits: signed, scale }
}

function decimalText(digits: bigint, scale: number): string {
  const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0')
  const point = text.length - scale
  const sign = digits < 0n ? '-' : ''
  return scale === 0 ? `${sign}${text}` : `${sign}${text.slice(0, point)}.${text.slice(point)}`
}
