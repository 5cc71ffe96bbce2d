/**
 * Kafka's fixed-width integers, big-endian, read and written in place. 64-bit ones are numbers:
 * callers check `Number.isSafeInteger` where a file could hold more.
 */

const TWO_TO_32 = 4_294_967_296

/** Reads a signed 16-bit integer. */
export function readInt16(bytes: Uint8Array, position: number): number {
  return ((((bytes[position] ?? 0) << 8) | (bytes[position + 1] ?? 0)) << 16) >> 16
}

/** Reads a signed 32-bit integer. */
export function readInt32(bytes: Uint8Array, position: number): number {
  return (
    ((bytes[position] ?? 0) << 24) |
    ((bytes[position + 1] ?? 0) << 16) |
    ((bytes[position + 2] ?? 0) << 8) |
    (bytes[position + 3] ?? 0)
  )
}

/** Reads a signed 64-bit integer; exact only when the result is a safe integer. */
export function readInt64(bytes: Uint8Array, position: number): number {
  return readInt32(bytes, position) * TWO_TO_32 + (readInt32(bytes, position + 4) >>> 0)
}

/** Writes the low 16 bits of `value`. */
export function writeInt16(bytes: Uint8Array, position: number, value: number): void {
  bytes[position] = value >> 8
  bytes[position + 1] = value
}

/** Writes the low 32 bits of `value`. */
export function writeInt32(bytes: Uint8Array, position: number, value: number): void {
  bytes[position] = value >> 24
  bytes[position + 1] = value >> 16
  bytes[position + 2] = value >> 8
  bytes[position + 3] = value
}

/** Writes a safe integer as a signed 64-bit one. */
export function writeInt64(bytes: Uint8Array, position: number, value: number): void {
  const high = Math.floor(value / TWO_TO_32)
  writeInt32(bytes, position, high)
  writeInt32(bytes, position + 4, value - high * TWO_TO_32)
}
