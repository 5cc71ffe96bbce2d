import { RejectedError } from '../errors.ts'
import { defineSerde, type Serde } from './serde.ts'

/** Bytes as they are. What is read is a view: copy it to keep it beyond its batch. */
export const bytes: Serde<Uint8Array> = defineSerde({
  name: 'bytes',
  encode(value: Uint8Array) {
    if (value instanceof Uint8Array) return value
    throw new RejectedError(
      'RECORD_INVALID',
      `The serde bytes takes a Uint8Array, not ${typeof value}: convert it, or use another serde.`,
    )
  },
  decode: (buffer, start, end) => buffer.subarray(start, end),
})
