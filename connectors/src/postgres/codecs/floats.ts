import { isExactNumber } from '../../exact-number.ts'
import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'

/** `double precision`: numbers with NaN and the infinities, bigints, decimal text. */
export const float8: ColumnCodec = {
  type: 'double precision',
  write(out, value) {
    const number = numberOf(value)
    out.reserve(12)
    out.view.setInt32(out.position, 8)
    out.view.setFloat64(out.position + 4, number)
    out.position += 12
  },
  text: (value) => String(numberOf(value)),
}

/** `real`: the same, rounded to 24 bits; a finite value too large for it is refused. */
export const float4: ColumnCodec = {
  type: 'real',
  write(out, value) {
    const number = singleOf(value)
    out.reserve(8)
    out.view.setInt32(out.position, 4)
    out.view.setFloat32(out.position + 4, number)
    out.position += 8
  },
  text: (value) => String(singleOf(value)),
}

function singleOf(value: unknown): number {
  const number = numberOf(value)
  const single = Math.fround(number)
  if (Number.isFinite(number) && !Number.isFinite(single)) {
    throw new UnfitValue(sqlState.outOfRange, value, 'is too large for real')
  }
  return single
}

function numberOf(value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (isExactNumber(value)) return numberOfText(value.rawJSON, value)
  if (typeof value === 'string') return numberOfText(value, value)
  throw new UnfitValue(sqlState.invalidText, value, 'is not a number')
}

/** As the server does, refuses what is too large or too near to nothing, where Number rounds. */
function numberOfText(text: string, value: unknown): number {
  const word = text.trim()
  const number = Number(word)
  if (word === '' || (Number.isNaN(number) && word !== 'NaN')) {
    throw new UnfitValue(sqlState.invalidText, value, 'is not a number')
  }
  const isLost = number === 0 ? /^[^eE]*[1-9]/.test(word) : !Number.isFinite(number)
  if (isLost && /\d/.test(word)) {
    throw new UnfitValue(sqlState.outOfRange, value, 'is out of range for double precision')
  }
  return number
}
