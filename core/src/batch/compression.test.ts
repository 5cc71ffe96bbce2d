import fc from 'fast-check'
import { gzipSync } from 'node:zlib'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import { describe, expect, it } from 'vitest'
import { CorruptDataError } from '../errors.ts'
import type { Compression } from '../log.ts'
import { compress, decompress } from './compression.ts'
import { lz4Size } from './lz4-frame.ts'

const COMPRESSIONS = ['gzip', 'snappy', 'lz4', 'zstd'] as const satisfies Compression[]
const MIB = 1024 * 1024

const compressible = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 500 }), fc.integer({ min: 1, max: 500 }))
  .map(([piece, times]) => Buffer.concat(Array.from({ length: times }, () => piece)))

describe.each(COMPRESSIONS)('%s', (compression) => {
  it('gives back what it took', () => {
    fc.assert(
      fc.property(compressible, (bytes) => {
        const compressed = Buffer.from(compress(compression, bytes))
        expect(decompress(compression, compressed, MIB).equals(bytes)).toBe(true)
        expect(decompress(compression, compressed, bytes.length).equals(bytes)).toBe(true)
      }),
    )
  })

  it('refuses what would become larger than allowed', () => {
    fc.assert(
      fc.property(compressible, (bytes) => {
        fc.pre(bytes.length > 1)
        const compressed = Buffer.from(compress(compression, bytes))
        const tooSmall = bytes.length - 1
        expect(() => decompress(compression, compressed, tooSmall)).toThrow(CorruptDataError)
      }),
    )
  })

  it('calls rubbish and nothing damaged data', () => {
    const refuse = (bytes: Uint8Array): void => {
      expect(() => decompress(compression, Buffer.from(bytes), MIB)).toThrow(CorruptDataError)
    }
    refuse(new Uint8Array(0))
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (bytes) => {
        // Raw snappy has no magic: a single 0 is an empty text, and a few bytes may be a short one.
        if (compression !== 'snappy') refuse(bytes)
        else expect(lengthOrDamage(bytes)).toBeLessThanOrEqual(MIB)
      }),
    )
  })

  it('works on after damaged data', () => {
    const bytes = Buffer.from('water '.repeat(100))
    const compressed = Buffer.from(compress(compression, bytes))
    for (let cut = 1; cut < compressed.length; cut++) {
      expect(() => decompress(compression, compressed.subarray(0, cut), MIB)).toThrow(
        CorruptDataError,
      )
    }
    expect(decompress(compression, compressed, MIB).equals(bytes)).toBe(true)
  })
})

/** Length of what raw snappy gives; 0 for damaged data, and any other error is thrown. */
function lengthOrDamage(bytes: Uint8Array): number {
  try {
    return decompress('snappy', Buffer.from(bytes), MIB).length
  } catch (error) {
    if (error instanceof CorruptDataError) return 0
    throw error
  }
}

describe('snappy', () => {
  it('is read without framing too, as librdkafka writes it', () => {
    const bytes = Buffer.from('water '.repeat(100))
    expect(decompress('snappy', snappyCompress(bytes), MIB).equals(bytes)).toBe(true)
  })

  it('is written with the framing of the Java clients', () => {
    const framed = Buffer.from(compress('snappy', Buffer.alloc(100_000, 1)))
    expect(framed.subarray(0, 16).toString('hex')).toBe('82534e41505059000000000100000001')
  })
})

describe('the size of an LZ4 frame', () => {
  it('is known before anything is decompressed', () => {
    fc.assert(
      fc.property(compressible, (bytes) => {
        expect(lz4Size(lz4Compress(bytes), MIB)).toBe(bytes.length)
      }),
    )
    const large = Buffer.alloc(9 * MIB, 1)
    expect(lz4Size(lz4Compress(large), 9 * MIB)).toBe(large.length)
  })
})

describe('gzip', () => {
  it('is read in several members', () => {
    const bytes = Buffer.concat([gzipSync('a'), gzipSync('b')])
    expect(decompress('gzip', bytes, MIB).toString()).toBe('ab')
  })
})
