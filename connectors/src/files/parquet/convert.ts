import type { DecodedArray } from 'hyparquet'
import type { ParquetColumn } from './column-type.ts'

const DAY_MS = 86_400_000
const JULIAN_DAY_OF_1970 = 2_440_588n

/**
 * Turns stored values into JavaScript values. Times become milliseconds since 1970 (with a fraction
 * where the file has microseconds), dates midnight UTC in the same form, decimals exact strings.
 */
export function convertValues(stored: DecodedArray, column: ParquetColumn): ArrayLike<unknown> {
  switch (column.conversion) {
    case 'none':
    case 'bigint':
      return stored
    case 'safe-int64':
      return int64ToNumbers(stored, 1)
    case 'timestamp-millis':
      return int64ToNumbers(stored, 1)
    case 'timestamp-micros':
      return int64ToNumbers(stored, 1000)
    case 'date':
      return Float64Array.from(stored as ArrayLike<number>, (days) => days * DAY_MS)
    case 'uint32':
      return Float64Array.from(stored as ArrayLike<number>, (value) => value >>> 0)
    default:
      return Array.from(stored as ArrayLike<unknown>, valueConverter(column))
  }
}

/**
 * Reads 64-bit integers as doubles from their halves, which makes no BigInt; exact while the values
 * are safe integers.
 */
function int64ToNumbers(stored: DecodedArray, divisor: number): Float64Array {
  if (!(stored instanceof BigInt64Array)) {
    return Float64Array.from(stored as ArrayLike<bigint>, (value) => Number(value) / divisor)
  }
  const halves = new Int32Array(stored.buffer, stored.byteOffset, stored.length * 2)
  const numbers = new Float64Array(stored.length)
  for (let i = 0; i < numbers.length; i++) {
    const low = (halves[2 * i] as number) >>> 0
    const high = halves[2 * i + 1] as number
    numbers[i] = (high * 4_294_967_296 + low) / divisor
  }
  return numbers
}

function valueConverter(column: ParquetColumn): (value: unknown) => unknown {
  switch (column.conversion) {
    case 'text':
      return (value) => textOf(value as Uint8Array)
    case 'json':
      return (value) => JSON.parse(textOf(value as Uint8Array))
    case 'uuid':
      return (value) => uuidOf(value as Uint8Array)
    case 'uint64':
      return (value) => BigInt.asUintN(64, BigInt(value as number | bigint))
    case 'float16':
      return (value) => float16Of(value as Uint8Array)
    case 'timestamp-nanos':
      return (value) => Number((value as bigint) / 1000n) / 1000
    case 'timestamp-int96':
      return (value) => int96Ms(value as bigint)
    case 'time-millis':
      return (value) => timeOfDay(Number(value) * 1000)
    case 'time-micros':
      return (value) => timeOfDay(Number(value))
    case 'time-nanos':
      return (value) => timeOfDay(Number((value as bigint) / 1000n))
    case 'decimal':
      return (value) => decimalOf(value, column.schema.element.scale ?? 0)
    default:
      return (value) => (value as Uint8Array).slice()
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

function uuidOf(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function float16Of(bytes: Uint8Array): number {
  const bits = ((bytes[1] ?? 0) << 8) | (bytes[0] ?? 0)
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * 2 ** -24 * fraction
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
}

/** INT96: nanoseconds of the day in the low 64 bits, the Julian day above. */
function int96Ms(value: bigint): number {
  const days = BigInt.asIntN(32, value >> 64n) - JULIAN_DAY_OF_1970
  const nanos = BigInt.asUintN(64, value)
  return Number(days) * DAY_MS + Number(nanos / 1000n) / 1000
}

function timeOfDay(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000)
  const clock = [seconds / 3600, (seconds / 60) % 60, seconds % 60]
    .map((part) => String(Math.floor(part)).padStart(2, '0'))
    .join(':')
  const fraction = micros % 1_000_000
  return fraction === 0 ? clock : `${clock}.${String(fraction).padStart(6, '0')}`
}

function decimalOf(value: unknown, scale: number): string {
  const unscaled = value instanceof Uint8Array ? bigEndian(value) : BigInt(value as number | bigint)
  if (scale === 0) return unscaled.toString()
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const sign = unscaled < 0n ? '-' : ''
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function bigEndian(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`))
}
