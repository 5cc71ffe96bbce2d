import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'

const hexText = /^\\x(?:[0-9a-f]{2})*$/i

/** `bytea`: byte arrays, and PostgreSQL's own text form `\x…`. */
export const bytea: ColumnCodec = {
  type: 'bytea',
  write(out, value) {
    const bytes = bytesOf(value)
    out.reserve(4 + bytes.length)
    out.view.setInt32(out.position, bytes.length)
    out.bytes.set(bytes, out.position + 4)
    out.position += 4 + bytes.length
  },
  text: (value) => `\\x${Buffer.from(bytesOf(value)).toString('hex')}`,
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (typeof value === 'string' && hexText.test(value)) return Buffer.from(value.slice(2), 'hex')
  throw new UnfitValue(sqlState.invalidText, value, 'is neither bytes nor text of the form \\x…')
}
