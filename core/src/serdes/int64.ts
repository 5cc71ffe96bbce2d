import { RejectedError } from '../errors.ts'
import { defineSerde, type Serde } from './serde.ts'

const SIZE_BYTES = 8

/** A 64-bit integer as eight bytes, big-endian, as Kafka's LongSerializer writes it. */
export const int64: Serde<bigint> = defineSerde({
  name: 'int64',
  copies: true,
  encode(value: bigint) {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) {
      throw new RejectedError(
        'RECORD_INVALID',
        `Expected a bigint of 64 bits, got the ${typeof value} ${String(value)}.`,
      )
    }
    const encoded = Buffer.allocUnsafe(SIZE_BYTES)
    encoded.writeBigInt64BE(value)
    return encoded
  },
  decode(buffer, start, end) {
    if (end - start === SIZE_BYTES) return buffer.readBigInt64BE(start)
    throw new RejectedError('RECORD_INVALID', `An int64 has 8 bytes; these are ${end - start}.`)
  },
})
