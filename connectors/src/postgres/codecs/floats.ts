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
  if (typeof value === 'string') {
    const number = Number(value)
    const isNumber = !Number.isNaN(number) && value.trim() !== ''
    if (isNumber || value.trim() === 'NaN') return number
  }
  throw new UnfitValue(sqlState.invalidText, value, 'is not a number')
}
