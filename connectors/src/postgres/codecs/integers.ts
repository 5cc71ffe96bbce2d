import type { CopyBuffer } from '../copy-buffer.ts'
import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'

const integerText = /^\s*[+-]?\d+\s*$/

/** `smallint`: numbers, bigints, decimal text. */
export const int2: ColumnCodec = {
  type: 'smallint',
  write(out, value) {
    const integer = integerWithin(value, -32768, 32767)
    out.reserve(6)
    out.view.setInt32(out.position, 2)
    out.view.setInt16(out.position + 4, integer)
    out.position += 6
  },
  text: (value) => String(integerWithin(value, -32768, 32767)),
}

/** `integer`: numbers, bigints, decimal text. */
export const int4: ColumnCodec = {
  type: 'integer',
  write(out, value) {
    const integer = integerWithin(value, -2147483648, 2147483647)
    out.reserve(8)
    out.view.setInt32(out.position, 4)
    out.view.setInt32(out.position + 4, integer)
    out.position += 8
  },
  text: (value) => String(integerWithin(value, -2147483648, 2147483647)),
}

/** `bigint`: numbers, bigints, decimal text. */
export const int8: ColumnCodec = {
  type: 'bigint',
  write(out, value) {
    writeInt64(out, checkedInt64(value))
  },
  text: (value) => String(checkedInt64(value)),
}

/** Writes length and value of an eight-byte integer; a number must be a safe one. */
export function writeInt64(out: CopyBuffer, integer: number | bigint): void {
  out.reserve(12)
  const { view, position } = out
  view.setInt32(position, 8)
  if (typeof integer === 'number') {
    view.setInt32(position + 4, Math.floor(integer / 4294967296))
    view.setUint32(position + 8, integer >>> 0)
  } else {
    view.setBigInt64(position + 4, integer)
  }
  out.position = position + 12
}

/**
 * The whole number that a value stands for.
 *
 * @throws UnfitValue when it is none.
 */
export function integerOf(value: unknown): number | bigint {
  if (typeof value === 'number' && Number.isInteger(value)) return value
  if (typeof value === 'bigint') return value
  if (typeof value === 'string' && integerText.test(value)) {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : BigInt(value.trim().replace('+', ''))
  }
  throw new UnfitValue(sqlState.invalidText, value, 'is not a whole number')
}

function integerWithin(value: unknown, min: number, max: number): number {
  const integer = typeof value === 'number' && Number.isInteger(value) ? value : integerOf(value)
  if (integer >= min && integer <= max) return Number(integer)
  throw new UnfitValue(sqlState.outOfRange, value, `is not within ${min} and ${max}`)
}

const int64Min = -(2n ** 63n)
const int64Max = 2n ** 63n - 1n

function checkedInt64(value: unknown): number | bigint {
  if (Number.isSafeInteger(value)) return value as number
  const integer = integerOf(value)
  if (Number.isSafeInteger(integer)) return integer
  const exact = BigInt(integer)
  if (!(exact >= int64Min && exact <= int64Max)) {
    throw new UnfitValue(sqlState.outOfRange, value, 'does not fit 64 bits')
  }
  // JSON, files and numeric columns have the digits that a number is written with.
  if (typeof integer === 'bigint' || String(integer) === String(exact)) return exact
  const what = `is ${exact} exactly: give a bigint, or a column for floating point`
  throw new UnfitValue(sqlState.outOfRange, value, what)
}
