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
      return nullsAside(add)
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

function nullsAside(merge: Merge): Merge {
  return (older, newer) => {
    if (older === null || older === undefined) return newer
    return newer === null || newer === undefined ? older : merge(older, newer)
  }
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
  if (typeof left === 'string' && typeof right === 'string') {
    return textTypes.test(column.type) ? left < right : numberOf(left) < numberOf(right)
  }
  return numberOf(left) < numberOf(right)
}

function numberOf(value: unknown): number | bigint {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
  if (!Number.isNaN(number)) return number
  throw new UnfitValue(sqlState.invalidText, value, "can't be compared: it is not a number")
}
