import { isExactNumber } from '../../exact-number.ts'
import type { CopyBuffer } from '../copy-buffer.ts'
import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'

/** Below this length a loop in JavaScript beats the call into C++. */
const loopCharactersMax = 24

/** A codec of text under the name of its column type: `text`, `character varying`, an enum. */
export function textOf(type: string): ColumnCodec {
  return {
    type,
    write(out, value) {
      writeText(out, typeof value === 'string' ? value : toText(value))
    },
    text(value) {
      const text = toText(value)
      checkText(text)
      return text
    },
  }
}

/**
 * Writes length and UTF-8 bytes of a string.
 *
 * @throws UnfitValue for NUL and for half of a surrogate pair, which PostgreSQL's text can't hold.
 */
export function writeText(out: CopyBuffer, text: string): void {
  const length = text.length
  out.reserve(4 + 3 * length)
  const { bytes, position } = out
  if (length <= loopCharactersMax) {
    let at = position + 4
    let index = 0
    for (; index < length; index += 1) {
      const code = text.charCodeAt(index)
      if (code >= 0x80 || code === 0) break
      bytes[at++] = code
    }
    if (index === length) {
      out.view.setInt32(position, length)
      out.position = at
      return
    }
  }
  checkText(text)
  writeUnchecked(out, text)
}

/** Writes length and UTF-8 bytes of a string known to be well formed. */
export function writeUnchecked(out: CopyBuffer, text: string): void {
  out.reserve(4 + 3 * text.length)
  const written = out.bytes.write(text, out.position + 4)
  out.view.setInt32(out.position, written)
  out.position += 4 + written
}

function checkText(text: string): void {
  if (text.includes('\0')) throw new UnfitValue(sqlState.nulInText, text, 'contains NUL (\\u0000)')
  if (!text.isWellFormed()) {
    throw new UnfitValue(sqlState.nulInText, text, 'contains half of a surrogate pair')
  }
}

function toText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
    default:
      if (isExactNumber(value)) return value.rawJSON
      if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
      throw new UnfitValue(sqlState.invalidText, value, 'is not text')
  }
}

/** For types that we know nothing of: the server reads the text as it would in SQL. */
export const anyText: ColumnCodec = {
  ...textOf('unknown'),
  text(value) {
    if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
    const isPlain = typeof value === 'object' && value !== null && !(value instanceof Date)
    const text = isPlain ? JSON.stringify(value) : toText(value)
    checkText(text)
    return text
  },
}
