import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'

/** `uuid`: 32 hexadecimal digits, hyphens anywhere. */
export const uuid: ColumnCodec = {
  type: 'uuid',
  write(out, value) {
    if (typeof value !== 'string') throw unfit(value)
    out.reserve(20)
    out.view.setInt32(out.position, 16)
    let nibbles = 0
    let byte = 0
    for (let index = 0; index < value.length; index += 1) {
      const code = value.charCodeAt(index)
      if (code === 0x2d) continue
      byte = (byte << 4) | nibbleOf(code, value)
      nibbles += 1
      if (nibbles > 32) throw unfit(value)
      if (nibbles % 2 === 0) out.bytes[out.position + 3 + nibbles / 2] = byte & 0xff
    }
    if (nibbles !== 32) throw unfit(value)
    out.position += 20
  },
  text(value) {
    if (typeof value === 'string' && /^[0-9a-f]{32}$/i.test(value.replaceAll('-', ''))) return value
    throw unfit(value)
  },
}

function nibbleOf(code: number, value: string): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  if (lower >= 0x61 && lower <= 0x66) return lower - 0x57
  throw unfit(value)
}

function unfit(value: unknown): UnfitValue {
  return new UnfitValue(sqlState.invalidText, value, 'is not a UUID')
}
