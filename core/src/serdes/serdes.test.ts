import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RejectedError } from '../errors.ts'
import { bytes, int64, type Serde, string } from './index.ts'

/** Through each of the two ways in and out. */
function roundTrips<T>(serde: Serde<T>, value: T): T[] {
  const encoded = serde.encode(value)
  const stored = typeof encoded === 'string' ? Buffer.from(encoded) : Buffer.from(encoded ?? [])
  const around = Buffer.concat([Buffer.from('<<'), stored, Buffer.from('>>')])
  return [
    serde.deserialize(serde.serialize(value) ?? new Uint8Array(0)),
    serde.decode(around, 2, 2 + stored.length),
  ]
}

describe('string', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(roundTrips(string, text)).toEqual([text, text])
      }),
    )
    expect(roundTrips(string, '\ufffd')).toEqual(['\ufffd', '\ufffd'])
  })

  it('refuses what has no UTF-8, either way, and what is no string', () => {
    expect(() => string.encode('a\ud800b')).toThrow(RejectedError)
    expect(() => string.deserialize(Buffer.from([0x61, 0xff]))).toThrow(RejectedError)
    expect(() => string.encode(5 as unknown as string)).toThrow(RejectedError)
  })
})

describe('bytes', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (value) => {
        for (const back of roundTrips(bytes, value)) expect([...back]).toEqual([...value])
      }),
    )
    expect(() => bytes.encode('text' as unknown as Uint8Array)).toThrow(RejectedError)
  })
})

describe('int64', () => {
  it('comes back as it was, as Kafka writes it', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(roundTrips(int64, value)).toEqual([value, value])
      }),
    )
    expect(Buffer.from(int64.serialize(258n) ?? []).toString('hex')).toBe('0000000000000102')
  })

  it('refuses what does not fit', () => {
    expect(() => int64.encode(2n ** 63n)).toThrow(RejectedError)
    expect(() => int64.encode(5 as unknown as bigint)).toThrow(RejectedError)
    expect(() => int64.deserialize(Buffer.alloc(7))).toThrow(RejectedError)
  })
})
