import type { CopyBuffer } from './copy-buffer.ts'
import type { ColumnCodec } from './codecs/column-codec.ts'
import { UnfitValue } from './codecs/column-codec.ts'
import { bool } from './codecs/boolean.ts'
import { float8 } from './codecs/floats.ts'
import { int2, int4, int8 } from './codecs/integers.ts'
import { json, jsonb } from './codecs/json.ts'
import { numeric } from './codecs/numeric.ts'
import { date, timestamp, timestamptz } from './codecs/times.ts'
import { uuid } from './codecs/uuid.ts'

/**
 * Writes a field of CSV, bytes `start` to `end`, in PostgreSQL's binary form with its length before
 * it. `out` has room for the bytes and 12 more. False when the server had better read the text
 * itself: it takes many more forms of a value than the usual one.
 */
export type WriteField = (out: CopyBuffer, bytes: Buffer, start: number, end: number) => boolean

/** How fields become values of a column's type; undefined for types that are left to the server. */
export function fieldWriter(codec: ColumnCodec | undefined): WriteField | undefined {
  if (codec === undefined) return undefined
  return writers.get(codec) ?? (textTypes.has(codec.type) ? writeText : undefined)
}

const textTypes = new Set(['text', 'character', 'character varying'])
const ZERO = 0x30
const MINUS = 0x2d
const COLON = 0x3a
/** More digits could be more than a double holds exactly. */
const digitsMax = 15
const dayMicros = 86_400_000_000

function writeText(out: CopyBuffer, bytes: Buffer, start: number, end: number): boolean {
  writeLength(out, end - start)
  copyBytes(out, bytes, start, end)
  return true
}

function writeJsonb(out: CopyBuffer, bytes: Buffer, start: number, end: number): boolean {
  writeLength(out, end - start + 1)
  out.bytes[out.position++] = 1
  copyBytes(out, bytes, start, end)
  return true
}

function writeInt2(out: CopyBuffer, bytes: Buffer, start: number, end: number): boolean {
  const value = readInteger(bytes, start, end)
  if (!(value >= -32_768 && value <= 32_767)) return false
  writeLength(out, 2)
  out.view.setInt16(out.position, value)
  out.position += 2
  return true
}

function writeInt4(out: CopyBuffer, bytes: Buffer, start: number, end: number): boolean {
  const value = readInteger(bytes, start, end)
  if (!(value >= -2_147_483_648 && value <= 2_147_483_647)) return false
  writeLength(out, 4)
  out.view.setInt32(out.position, value)
  out.position += 4
  return true
}

function writeInt8(out: CopyBuffer, bytes: Buffer, start: number, end: number): boolean {
  const value = readInteger(bytes, start, end)
  if (Number.isNaN(value)) return false
  writeInt64(out, value)
  return true
}

function writeDate(out: CopyBuffer, bytes: Buffer, start: number, end: number): boolean {
  const days = end - start === 10 ? readDay(bytes, start) : NaN
  if (Number.isNaN(days)) return false
  writeLength(out, 4)
  out.view.setInt32(out.position, days)
  out.position += 4
  return true
}

/** `2001-02-03 04:05:06`, with `T`, a fraction and `Z` allowed; a zone has none of its own: UTC. */
function writeTime(out: CopyBuffer, bytes: Buffer, start: number, end: number): boolean {
  const last = bytes[end - 1] === 0x5a ? end - 1 : end
  const separator = bytes[start + 10]
  if (last - start < 19 || (separator !== 0x20 && separator !== 0x54)) return false
  if (bytes[start + 13] !== COLON || bytes[start + 16] !== COLON) return false
  const days = readDay(bytes, start)
  const hour = readTwoDigits(bytes, start + 11)
  const minute = readTwoDigits(bytes, start + 14)
  const second = readTwoDigits(bytes, start + 17)
  const fraction = last - start === 19 ? 0 : readFraction(bytes, start + 19, last)
  // Not a number fails every comparison.
  if (!(hour < 24 && minute < 60 && second < 60 && fraction >= 0)) return false
  const micros = days * dayMicros + ((hour * 60 + minute) * 60 + second) * 1e6 + fraction
  if (!Number.isSafeInteger(micros)) return false
  writeInt64(out, micros)
  return true
}

/** The server refuses what is too large or too small for a double, where Number rounds. */
function writeFloat8(out: CopyBuffer, bytes: Buffer, start: number, end: number): boolean {
  if (!hasNumberBytes(bytes, start, end)) return false
  const text = bytes.toString('latin1', start, end)
  const value = Number(text)
  if (!Number.isFinite(value) || (value === 0 && /^[^eE]*[1-9]/.test(text))) return false
  writeLength(out, 8)
  out.view.setFloat64(out.position, value)
  out.position += 8
  return true
}

/** Nothing but what decimal numbers are written with: Number takes other forms too. */
function hasNumberBytes(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    const isDigit = byte >= ZERO && byte <= 0x39
    // Signs, point and exponent.
    if (!isDigit && byte !== 0x2d && byte !== 0x2b && byte !== 0x2e && (byte | 0x20) !== 0x65) {
      return false
    }
  }
  return end > start
}

/** A field that the codec reads from a string. */
function writeBy(codec: ColumnCodec): WriteField {
  return (out, bytes, start, end) => {
    try {
      codec.write(out, bytes.toString('latin1', start, end))
      return true
    } catch (error) {
      if (error instanceof UnfitValue) return false
      throw error
    }
  }
}

const writeNumeric = writeBy(numeric)
const writeOtherBool = writeBy(bool)

/** `t`, `f`, `true` and `false` as they are most often written. */
function writeBool(out: CopyBuffer, bytes: Buffer, start: number, end: number): boolean {
  const length = end - start
  const isTrue = length === 1 ? bytes[start] === 0x74 : length === 4 && isWord(bytes, start, 'true')
  const isFalse =
    length === 1 ? bytes[start] === 0x66 : length === 5 && isWord(bytes, start, 'false')
  if (!isTrue && !isFalse) return writeOtherBool(out, bytes, start, end)
  writeLength(out, 1)
  out.bytes[out.position++] = isTrue ? 1 : 0
  return true
}

function isWord(bytes: Buffer, start: number, word: string): boolean {
  for (let at = 0; at < word.length; at++) {
    if (bytes[start + at] !== word.charCodeAt(at)) return false
  }
  return true
}

/** `0e-9` has a scale of its own, which the server knows best. */
function hasExponent(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (((bytes[at] as number) | 0x20) === 0x65) return true
  return false
}

const writers: ReadonlyMap<ColumnCodec, WriteField> = new Map([
  [int2, writeInt2],
  [int4, writeInt4],
  [int8, writeInt8],
  [date, writeDate],
  [timestamp, writeTime],
  [timestamptz, writeTime],
  [json, writeText],
  [jsonb, writeJsonb],
  [bool, writeBool],
  [float8, writeFloat8],
  [
    numeric,
    (out, bytes, start, end) =>
      !hasExponent(bytes, start, end) && writeNumeric(out, bytes, start, end),
  ],
  [uuid, writeBy(uuid)],
])

function writeLength(out: CopyBuffer, length: number): void {
  out.view.setInt32(out.position, length)
  out.position += 4
}

function writeInt64(out: CopyBuffer, value: number): void {
  const { view, position } = out
  view.setInt32(position, 8)
  view.setInt32(position + 4, Math.floor(value / 4_294_967_296))
  view.setUint32(position + 8, value >>> 0)
  out.position = position + 12
}

function copyBytes(out: CopyBuffer, bytes: Buffer, start: number, end: number): void {
  const { bytes: target, position } = out
  // Below this length a loop beats the call into C++.
  if (end - start > 32) bytes.copy(target, position, start, end)
  else for (let at = start, to = position; at < end; at++) target[to++] = bytes[at] as number
  out.position = position + end - start
}

/** NaN for anything but a minus and digits. */
function readInteger(bytes: Buffer, start: number, end: number): number {
  const isNegative = bytes[start] === MINUS
  const first = isNegative ? start + 1 : start
  if (first === end || end - first > digitsMax) return NaN
  let value = 0
  for (let at = first; at < end; at++) {
    const digit = (bytes[at] as number) - ZERO
    if (digit < 0 || digit > 9) return NaN
    value = value * 10 + digit
  }
  return isNegative ? -value : value
}

function readTwoDigits(bytes: Buffer, at: number): number {
  const tens = (bytes[at] as number) - ZERO
  const ones = (bytes[at + 1] as number) - ZERO
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN
}

/** Microseconds of `.5`, `.123456`; NaN for more digits, which the server would round. */
function readFraction(bytes: Buffer, start: number, end: number): number {
  const digits = end - start - 1
  if (bytes[start] !== 0x2e || digits < 1 || digits > 6) return NaN
  return readInteger(bytes, start + 1, end) * 10 ** (6 - digits)
}

/** Days since 2000-01-01 of `2001-02-03`; NaN when there is no such day. */
function readDay(bytes: Buffer, start: number): number {
  if (bytes[start + 4] !== MINUS || bytes[start + 7] !== MINUS) return NaN
  const year = readTwoDigits(bytes, start) * 100 + readTwoDigits(bytes, start + 2)
  const month = readTwoDigits(bytes, start + 5)
  const day = readTwoDigits(bytes, start + 8)
  if (!(year >= 1000 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) {
    return NaN
  }
  // The year begins in March here, so that its last day is the leap day.
  const marchYear = month > 2 ? year : year - 1
  const century = Math.floor(marchYear / 100)
  const leapDays = Math.floor(marchYear / 4) - century + Math.floor(century / 4)
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  return marchYear * 365 + leapDays + dayOfYear - 730_425
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
