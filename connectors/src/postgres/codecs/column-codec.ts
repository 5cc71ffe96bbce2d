import { isExactNumber } from '../../exact-number.ts'
import type { CopyBuffer } from '../copy-buffer.ts'

/** How values of one PostgreSQL type are written for COPY. Null is the row's affair, not the codec's. */
export interface ColumnCodec {
  /** As in SQL, for errors and casts: `integer`, `text[]`. */
  readonly type: string
  /**
   * Writes the value's length (int32) and its bytes in PostgreSQL's binary form.
   *
   * @throws UnfitValue when the type can't hold the value; what was written meanwhile is garbage.
   */
  write(out: CopyBuffer, value: unknown): void
  /**
   * The value in PostgreSQL's text form, for tables that can't be copied in binary.
   *
   * @throws UnfitValue when the type can't hold the value.
   */
  text(value: unknown): string
}

/** A value that its column can't hold, found before the server saw it. */
export class UnfitValue extends Error {
  /** The SQLSTATE with which PostgreSQL refuses such a value. */
  readonly code: string

  constructor(code: string, value: unknown, problem: string) {
    super(`${describe(value)} ${problem}`)
    this.name = 'UnfitValue'
    this.code = code
  }
}

const shownCharactersMax = 60

/** A value as a person should see it in an error: short, and never more than one line. */
export function describe(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? describeObject(value) : quoted(value)
  return text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax)}…` : text
}

function quoted(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, shownCharactersMax + 1))
    : String(value)
}

function describeObject(value: object): string {
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString()
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (isExactNumber(value)) return value.rawJSON
  if (Array.isArray(value)) return `an array of ${value.length}`
  return 'an object'
}

/** SQLSTATEs of values that can't be stored. */
export const sqlState = {
  outOfRange: '22003',
  invalidTime: '22007',
  timeOutOfRange: '22008',
  invalidText: '22P02',
  nulInText: '22021',
  untranslatable: '22P05',
  arrayShape: '2202E',
} as const
