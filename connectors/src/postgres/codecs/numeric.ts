import { isExactNumber } from '../../exact-number.ts'
import type { CopyBuffer } from '../copy-buffer.ts'
import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'

const decimalText = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?\s*$/i
const negative = 0x4000
/** The signs of the values that have no digits. */
const special = { nan: 0xc000, infinity: 0xd000, negativeInfinity: 0xf000 } as const
const integerDigitsMax = 131_072
const fractionDigitsMax = 16_383

/** `numeric`: numbers, bigints and decimal text, kept digit by digit. */
export const numeric: ColumnCodec = {
  type: 'numeric',
  write(out, value) {
    if (typeof value === 'number' && !Number.isFinite(value))
      return writeSpecial(out, signOf(value))
    const text = decimalOf(value)
    const word = text.trim().toLowerCase()
    if (word === 'nan') return writeSpecial(out, special.nan)
    if (word === 'infinity') return writeSpecial(out, special.infinity)
    if (word === '-infinity') return writeSpecial(out, special.negativeInfinity)
    writeDecimal(out, text, value)
  },
  text: (value) => decimalOf(value),
}

function decimalOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (isExactNumber(value)) return value.rawJSON
  throw new UnfitValue(sqlState.invalidText, value, 'is not a decimal number')
}

function signOf(value: number): number {
  if (Number.isNaN(value)) return special.nan
  return value > 0 ? special.infinity : special.negativeInfinity
}

function writeSpecial(out: CopyBuffer, sign: number): void {
  out.reserve(12)
  const { view, position } = out
  view.setInt32(position, 8)
  view.setInt32(position + 4, 0)
  view.setUint16(position + 8, sign)
  view.setUint16(position + 10, 0)
  out.position = position + 12
}

/** Digits go in groups of four; `weight` is the first group's power of 10,000. */
function writeDecimal(out: CopyBuffer, text: string, value: unknown): void {
  const parts = decimalText.exec(text)
  if (parts === null || `${parts[2] ?? ''}${parts[3] ?? ''}` === '') {
    throw new UnfitValue(sqlState.invalidText, value, 'is not a decimal number')
  }
  const { whole, fraction } = shifted(parts, value)
  const padded = whole.padStart(Math.ceil(whole.length / 4) * 4, '0')
  const digits = padded + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0')
  let first = 0
  while (first < digits.length && digits.startsWith('0000', first)) first += 4
  let end = digits.length
  while (end > first && digits.startsWith('0000', end - 4)) end -= 4
  const groups = (end - first) / 4
  out.reserve(12 + 2 * groups)
  const { view, position } = out
  view.setInt32(position, 8 + 2 * groups)
  view.setInt16(position + 4, groups)
  view.setInt16(position + 6, groups === 0 ? 0 : padded.length / 4 - 1 - first / 4)
  view.setUint16(position + 8, parts[1] === '-' && groups > 0 ? negative : 0)
  view.setUint16(position + 10, fraction.length)
  for (let group = 0; group < groups; group += 1) {
    const at = first + 4 * group
    view.setInt16(position + 12 + 2 * group, Number(digits.slice(at, at + 4)))
  }
  out.position = position + 12 + 2 * groups
}

/** Moves the decimal point by the exponent. */
function shifted(parts: RegExpExecArray, value: unknown): { whole: string; fraction: string } {
  let whole = (parts[2] ?? '').replace(/^0+/, '')
  let fraction = parts[3] ?? ''
  const exponent = Number(parts[4] ?? 0)
  const isZero = whole === '' && !/[1-9]/.test(fraction)
  const tooLong =
    whole.length + exponent > integerDigitsMax || fraction.length - exponent > fractionDigitsMax
  if (!isZero && tooLong) {
    throw new UnfitValue(sqlState.outOfRange, value, 'has more digits than numeric can hold')
  }
  if (isZero) return { whole: '', fraction: fraction.slice(0, fractionDigitsMax) }
  if (exponent > 0) {
    const moved = fraction.padEnd(exponent, '0')
    whole = (whole + moved.slice(0, exponent)).replace(/^0+/, '')
    fraction = moved.slice(exponent)
  } else if (exponent < 0) {
    const moved = whole.padStart(-exponent, '0')
    fraction = moved.slice(moved.length + exponent) + fraction
    whole = moved.slice(0, moved.length + exponent)
  }
  return { whole, fraction }
}
