import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CorruptDataError, RejectedError } from '../errors.ts'
import type { Compression } from '../log.ts'
import type { Header } from '../record.ts'
import { BatchReader } from './batch-reader.ts'
import { BatchWriter, type Encoded } from './batch-writer.ts'
import { encodeControlBatch, readControlBatch } from './control.ts'
import { COMPRESSIONS, crcMatches, FIELD, HEADER_BYTES, readHeader, stampBatch } from './header.ts'

interface Sample {
  readonly key: Encoded
  readonly value: Encoded
  readonly timestampMs: number
  readonly headers: readonly Header[]
}

const content = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 300 }),
  fc.string({ maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 80 }),
)
const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 20 }))
const header = fc.record({ key: fc.string({ maxLength: 10 }), value: bytesOrNull })
const sample: fc.Arbitrary<Sample> = fc.record({
  key: content,
  value: content,
  timestampMs: fc.oneof(fc.nat(), fc.maxSafeNat()),
  headers: fc.array(header, { maxLength: 3 }),
})
const samples = fc.array(sample, { minLength: 1, maxLength: 30 })

function write(records: readonly Sample[], compression: Compression = 'none'): Buffer {
  const writer = new BatchWriter()
  for (const { key, value, timestampMs, headers } of records) {
    writer.append(key, value, timestampMs, headers)
  }
  return Buffer.from(writer.finish({ compression }))
}

function readAll(batches: Uint8Array, options = {}): object[] {
  const reader = new BatchReader(batches, options)
  const records: object[] = []
  while (reader.next()) {
    records.push({
      offset: reader.offset,
      timestampMs: reader.timestampMs,
      key: plain(reader.key),
      value: plain(reader.value),
      headers: reader.headers.map(({ key, value }) => ({ key, value: plain(value) })),
    })
  }
  return records
}

function plain(encoded: Encoded): string | null {
  return encoded === null ? null : Buffer.from(encoded as Uint8Array).toString('hex')
}

function expected(records: readonly Sample[], baseOffset = 0): object[] {
  return records.map(({ key, value, timestampMs, headers }, index) => ({
    offset: baseOffset + index,
    timestampMs,
    key: plain(key),
    value: plain(value),
    headers: headers.map((each) => ({ key: each.key, value: plain(each.value) })),
  }))
}

describe('a record batch', () => {
  it.each(COMPRESSIONS)('comes back as it was written, compressed by %s', (compression) => {
    fc.assert(
      fc.property(samples, (records) => {
        const bytes = write(records, compression)
        const { sizeBytes, recordCount } = readHeader(bytes, 0)
        expect(sizeBytes).toBe(bytes.length)
        expect(recordCount).toBe(records.length)
        expect(crcMatches(bytes, 0, bytes.length)).toBe(true)
        expect(readAll(bytes)).toEqual(expected(records))
      }),
      { numRuns: 100 },
    )
  })

  it('keeps its CRC when the log gives it its place', () => {
    const bytes = write([{ key: 'k', value: 'v', timestampMs: 5, headers: [] }])
    stampBatch(bytes, 0, 2 ** 40 + 7, 3)
    expect(crcMatches(bytes, 0, bytes.length)).toBe(true)
    expect(readHeader(bytes, 0)).toMatchObject({ baseOffset: 2 ** 40 + 7, leaderEpoch: 3 })
    expect(readAll(bytes)).toMatchObject([{ offset: 2 ** 40 + 7 }])
  })

  it('carries the identity of its producer', () => {
    const writer = new BatchWriter()
    writer.append(null, 'v', 1)
    const options = {
      producerId: 2 ** 41,
      producerEpoch: 9,
      baseSequence: 77,
      isTransactional: true,
    }
    const bytes = writer.finish(options)
    expect(readHeader(bytes, 0)).toMatchObject({ ...options, isControl: false })
  })

  it('has the layout that Kafka writes', () => {
    // Length, attributes, two deltas, key length, key, value length, value, header count.
    const bytes = write([{ key: 'k', value: 'v', timestampMs: 1_700_000_000_000, headers: [] }])
    expect(bytes.subarray(HEADER_BYTES).toString('hex')).toBe('10000000026b027600')
    expect(bytes.readInt32BE(FIELD.length)).toBe(bytes.length - 12)
    expect(bytes.readBigInt64BE(FIELD.producerId)).toBe(-1n)
    expect(bytes.readInt16BE(FIELD.producerEpoch)).toBe(-1)
    expect(bytes.readInt32BE(FIELD.baseSequence)).toBe(-1)
  })

  it('takes only timestamps that are whole milliseconds since 1970, and stays usable', () => {
    const writer = new BatchWriter()
    for (const wrong of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) {
      expect(() => writer.append(null, 'v', wrong)).toThrow(RejectedError)
    }
    writer.append(null, 'v', 0)
    expect(readAll(writer.finish())).toHaveLength(1)
  })
})

describe('a batch reader', () => {
  it('goes through many batches and passes over markers and what lies before its start', () => {
    fc.assert(
      fc.property(fc.array(samples, { maxLength: 5 }), fc.nat(160), (lists, fromOffset) => {
        const parts: Buffer[] = []
        const all: object[] = []
        let offset = 0
        for (const records of lists) {
          const batch = write(records, 'lz4')
          stampBatch(batch, 0, offset, 0)
          all.push(...expected(records, offset))
          const marker = Buffer.from(encodeControlBatch(COMMIT))
          stampBatch(marker, 0, offset + records.length, 0)
          parts.push(batch, marker)
          offset += records.length + 1
        }
        const later = all.filter((record) => (record as { offset: number }).offset >= fromOffset)
        expect(readAll(Buffer.concat(parts), { fromOffset })).toEqual(later)
      }),
    )
  })

  it('names every flipped bit under the CRC', () => {
    const bytes = write([{ key: 'key', value: 'value', timestampMs: 5, headers: [] }])
    for (let bit = FIELD.attributes * 8; bit < bytes.length * 8; bit++) {
      const damaged = flipped(bytes, bit)
      expect(() => readAll(damaged, { checkCrc: true })).toThrow(CorruptDataError)
    }
  })

  it('meets any rubbish with CorruptDataError, and nothing else', () => {
    fc.assert(
      fc.property(
        samples,
        fc.constantFrom(...COMPRESSIONS),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 8,
        }),
        (records, compression, changes) => {
          const bytes = write(records, compression)
          for (const [place, byte] of changes) bytes[place % bytes.length] = byte
          expectOnlyCorruption(bytes)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['a record longer than it is', { 61: 0x12 }],
    ['a record shorter than it is', { 61: 0x0e }],
    ['a record of negative length', { 61: 0x01 }],
    ['a length that never ends', { 61: 0xff, 62: 0xff, 63: 0xff, 64: 0xff, 65: 0xff, 66: 0xff }],
    ['offsets that go back', { 64: 0x01 }],
    ['an offset behind the last', { 64: 0x02 }],
    ['a key of length −2', { 65: 0x03 }],
    ['a key longer than its record', { 65: 0x40 }],
    ['a value of length −2', { 67: 0x03 }],
    ['a value longer than its record', { 67: 0x40 }],
    ['a value shorter than it is', { 67: 0x00 }],
    ['headers that are not there', { 69: 0x02 }],
    ['a negative count of headers', { 69: 0x01 }],
    ['more records than there are', { 26: 0x01, 60: 0x02 }],
    ['fewer records than there are', { 60: 0x00 }],
    ['an unknown compression', { 22: 0x05 }],
    ['another format version', { 16: 0x01 }],
  ])('does not read %s', (_what, changes) => {
    const bytes = write([{ key: 'k', value: 'v', timestampMs: 5, headers: [] }])
    expect(readAll(bytes)).toHaveLength(1)
    for (const [at, byte] of Object.entries(changes)) bytes[Number(at)] = byte
    expect(() => readAll(bytes)).toThrow(CorruptDataError)
  })

  it('meets any cut with CorruptDataError, and nothing else', () => {
    fc.assert(
      fc.property(
        samples,
        fc.constantFrom(...COMPRESSIONS),
        fc.nat(),
        (records, compression, at) => {
          const bytes = write(records, compression)
          const cut = bytes.subarray(0, 1 + (at % (bytes.length - 1)))
          expect(() => readAll(cut)).toThrow(CorruptDataError)
        },
      ),
    )
  })

  it('meets a cut inside the records that the length field hides', () => {
    fc.assert(
      fc.property(samples, fc.nat(), (records, at) => {
        const bytes = write(records)
        const cut = bytes.subarray(0, HEADER_BYTES + (at % (bytes.length - HEADER_BYTES)))
        cut.writeInt32BE(cut.length - 12, FIELD.length)
        expect(() => readAll(cut)).toThrow(CorruptDataError)
      }),
    )
  })

  it('decompresses no more than it is allowed', () => {
    const value = Buffer.alloc(1_000_000, 7)
    for (const compression of COMPRESSIONS.slice(1)) {
      const bytes = write([{ key: null, value, timestampMs: 5, headers: [] }], compression)
      expect(bytes.length).toBeLessThan(100_000)
      expect(() => readAll(bytes, { decompressedBytesMax: 999_999 })).toThrow(CorruptDataError)
      expect(readAll(bytes, { decompressedBytesMax: 1_001_000 })).toHaveLength(1)
    }
  })
})

describe('a transaction marker', () => {
  it('comes back as it was written, for either outcome', () => {
    for (const outcome of ['commit', 'abort'] as const) {
      const bytes = encodeControlBatch({ ...COMMIT, outcome })
      expect(readControlBatch(bytes, 0)).toEqual({ ...COMMIT, outcome })
      expect(crcMatches(bytes, 0, bytes.length)).toBe(true)
      expect(readAll(bytes)).toEqual([])
    }
  })

  it('is not read from a batch of records', () => {
    const bytes = write([{ key: 'k', value: 'v', timestampMs: 5, headers: [] }])
    expect(() => readControlBatch(bytes, 0)).toThrow(CorruptDataError)
  })
})

const COMMIT = {
  outcome: 'commit',
  producerId: 2 ** 35,
  producerEpoch: 4,
  timestampMs: 1_700_000_000_000,
} as const

function flipped(bytes: Buffer, bit: number): Buffer {
  const damaged = Buffer.from(bytes)
  damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return damaged
}

function expectOnlyCorruption(bytes: Buffer): void {
  try {
    readAll(bytes, { decompressedBytesMax: 1_000_000 })
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptDataError)
  }
}
