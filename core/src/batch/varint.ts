/**
 * Kafka's variable-length integers: zigzag, seven bits a byte, low bits first. Pure sums on a buffer
 * whose room the caller has made; reading them lies in the cursor that needs to be fast.
 */

/** Most bytes that a 32-bit varint takes. */
export const VARINT_BYTES_MAX = 5
/** Most bytes that a 64-bit varint takes. */
export const VARLONG_BYTES_MAX = 10

/** Bytes that the 32-bit integer `value` takes. */
export function varintBytes(value: number): number {
  const raw = ((value << 1) ^ (value >> 31)) >>> 0
  if (raw < 0x80) return 1
  if (raw < 0x4000) return 2
  if (raw < 0x20_0000) return 3
  return raw < 0x1000_0000 ? 4 : 5
}

/** Writes the 32-bit integer `value`; gives the position after it. */
export function writeVarint(bytes: Uint8Array, position: number, value: number): number {
  const raw = (value << 1) ^ (value >> 31)
  // Nearly all lengths and deltas are short; compiled into their callers, these two cost next to nothing.
  if (raw >>> 0 < 0x80) {
    bytes[position] = raw
    return position + 1
  }
  if (raw >>> 0 < 0x4000) {
    bytes[position] = raw | 0x80
    bytes[position + 1] = raw >>> 7
    return position + 2
  }
  return writeLongVarint(bytes, position, raw)
}

function writeLongVarint(bytes: Uint8Array, start: number, raw: number): number {
  let position = start
  let rest = raw >>> 0
  while (rest > 0x7f) {
    bytes[position++] = rest | 0x80
    rest >>>= 7
  }
  bytes[position++] = rest
  return position
}

/** Writes the safe integer `value`; gives the position after it. */
export function writeVarlong(bytes: Uint8Array, position: number, value: number): number {
  if (isInt32(value)) return writeVarint(bytes, position, value)
  let raw = zigzag(value)
  for (; raw > 0x7fn; raw >>= 7n) bytes[position++] = Number(raw & 0x7fn) | 0x80
  bytes[position++] = Number(raw)
  return position
}

function isInt32(value: number): boolean {
  return (value | 0) === value
}

function zigzag(value: number): bigint {
  const wide = BigInt(value)
  return wide < 0n ? -2n * wide - 1n : 2n * wide
}
