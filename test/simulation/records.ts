const VALUE_BYTES_MIN = 8

const values: Buffer[] = []

/** The value of a record: its id, then filler of a length and content that follow from it. */
export function recordValue(id: number): Uint8Array {
  const known = values[id]
  if (known !== undefined) return known
  const mixed = Math.imul(id ^ 0x5bd1e995, 0x9e3779b1) >>> 0
  const value = Buffer.alloc(VALUE_BYTES_MIN + (mixed % (mixed & 0x1000 ? 500 : 60)), mixed & 0xff)
  value.writeUInt32BE(id, 0)
  value.writeUInt32BE(mixed, 4)
  values[id] = value
  return value
}

/** The id in a record's value; −1 when it holds none. */
export function recordId(value: Uint8Array | null): number {
  return value === null || value.length < 4
    ? -1
    : new DataView(value.buffer, value.byteOffset).getUint32(0)
}

/** Whether a value is, byte for byte, the one of this record. */
export function isRecord(id: number, value: Uint8Array | null): boolean {
  return value !== null && Buffer.compare(recordValue(id), value) === 0
}
