import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scanCsv } from '../csv/csv-scan.ts'
import type { FindEnd } from './block-cutter.ts'
import { BlockCutter, RecordTooLong, findLastLine } from './block-cutter.ts'
import type { ByteReader } from './byte-reader.ts'

const dialect = { delimiter: ',', quote: '"', null: '' }
const findCsvEnd: FindEnd = (bytes, isLast) => scanCsv(bytes, dialect, isLast).end

/** Gives bytes out in pieces of the sizes named, over and over. */
function pieces(bytes: Buffer, sizes: readonly number[]): ByteReader {
  let position = 0
  let turn = 0
  return {
    isCompressed: false,
    storedBytes: 0,
    close: () => {},
    async read(into) {
      const size = sizes[turn++ % sizes.length] as number
      const count = bytes.copy(into, 0, position, position + size)
      position += count
      return count
    },
  }
}

interface Cut {
  readonly byte: number
  readonly text: string
}

async function cut(text: string, sizes: readonly number[], findEnd: FindEnd, blockBytes: number) {
  const limits = { blockBytes, maxRecordBytes: 1000 }
  const cutter = new BlockCutter(pieces(Buffer.from(text), sizes), 0, findEnd, limits)
  const blocks: Cut[] = []
  for (let block = await cutter.next(); block; block = await cutter.next()) {
    blocks.push({ byte: block.byte, text: block.bytes.toString() })
  }
  return blocks
}

const field = fc.string({ unit: fc.constantFrom('x', 'ä', '"', ',', '\n', '\r') })
const record = fc.array(field, { minLength: 1, maxLength: 3 })
const csvText = fc
  .array(record, { maxLength: 20 })
  .map((rows) =>
    rows.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(',') + '\n'),
  )
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

test('wherever reads end, blocks are whole records and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(csvText, sizes, fc.integer({ min: 1, max: 60 }), async (rows, reads, size) => {
      const blocks = await cut(rows.join(''), reads, findCsvEnd, size)
      expect(blocks.map(({ text }) => text).join('')).toBe(rows.join(''))
      const ends = new Set<number>([0])
      let end = 0
      for (const row of rows) ends.add((end += Buffer.byteLength(row)))
      for (const { byte } of blocks) expect(ends).toContain(byte)
    }),
  )
})

test('wherever reads end, lines stay whole, the last without a line end too', async () => {
  const lines = fc.array(fc.string({ unit: fc.constantFrom('x', 'ä', '\r') }), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(lines, sizes, fc.integer({ min: 1, max: 60 }), async (all, reads, size) => {
      const text = all.join('\n')
      const blocks = await cut(text, reads, findLastLine, size)
      expect(blocks.map((block) => block.text).join('')).toBe(text)
      for (const block of blocks.slice(0, -1)) expect(block.text.endsWith('\n')).toBe(true)
    }),
  )
})

test('a record past the limit is an error at its first byte', async () => {
  const text = `1,2\n"${'x'.repeat(1000)}"\n`
  await expect(cut(text, [64], findCsvEnd, 32)).rejects.toThrow(RecordTooLong)
  await expect(cut(text, [64], findCsvEnd, 32)).rejects.toMatchObject({ byte: 4 })
})
