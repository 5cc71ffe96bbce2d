import { rm } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import type { FileSource } from '../file-source.ts'
import {
  MalformedRecord,
  type Json,
  type SourceBatch,
  type SourceReader,
} from '@millrace/processors'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csv } from '../csv/csv.ts'
import { openStdin } from '../live/stdin.ts'
import { ndjson } from '../ndjson/ndjson.ts'
import { temporaryFile } from '../testing/file-fixture.ts'

const signal = new AbortController().signal

async function lenientBatches(
  source: FileSource<unknown>,
  position?: Json,
): Promise<SourceBatch<unknown>[]> {
  const reader = await source.openLenient?.({ position, signal })
  if (reader === undefined) throw new Error(`${source.name} is never lenient`)
  return batchesOf(reader)
}

async function batchesOf<Row>(reader: SourceReader<Row>): Promise<SourceBatch<Row>[]> {
  const batches: SourceBatch<Row>[] = []
  try {
    for await (const batch of reader.batches()) batches.push(batch)
    return batches
  } finally {
    await reader.close()
  }
}

const recordsOf = async (source: FileSource<unknown>): Promise<unknown[]> =>
  (await lenientBatches(source)).flatMap(({ rows }) => rows).map(shown)

/** A row; or of a bad record its text, and where it stands. */
function shown(row: unknown): unknown {
  if (!(row instanceof MalformedRecord)) return row
  const { line, byte } = row.error.facts
  return { text: Buffer.from(row.bytes).toString('latin1'), line, byte }
}

const bytesOf = (...parts: (string | number)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(typeof part === 'string' ? part : [part])))

test('of NDJSON, lines that are no objects are given as they stand, between the rows', async () => {
  const text = bytesOf('{"n":1}\n{"n":\n\n[2]\r\n{"n":"', 0xff, '"}\n{"n":3}\nrubbish')
  const expected = [
    { n: 1 },
    { text: '{"n":', line: 2, byte: 8 },
    { text: '[2]', line: 4, byte: 15 },
    { text: '{"n":"\xff"}', line: 5, byte: 26 },
    { n: 3 },
    { text: 'rubbish', line: 7, byte: 38 },
  ]
  for (const content of [text, gzipSync(text)]) {
    expect(await recordsOf(ndjson(await temporaryFile(content)))).toEqual(expected)
  }
  const marked = await recordsOf(ndjson(await temporaryFile(bytesOf('\ufeffx\n{"n":1}\n'))))
  expect(marked).toEqual([{ text: 'x', line: 1, byte: 3 }, { n: 1 }])
})

test('of CSV, records that do not fit their columns, or whose quotes are broken, are given as they stand', async () => {
  const text = bytesOf(
    'id,note\n1,"two\nlines"\nx,y\n2,a,b\n3,a"b\n4,"a"b\n5,',
    0xff,
    '\n6,a\0\n7,"last"\n8,',
    '"ok"\n',
  )
  const expected = [
    { id: 1, note: 'two\nlines' },
    { text: 'x,y', line: 4, byte: 22 },
    { text: '2,a,b', line: 5, byte: 26 },
    { text: '3,a"b', line: 6, byte: 35 },
    { text: '4,"a"b', line: 7, byte: 43 },
    { text: '5,\xff', line: 8, byte: 47 },
    { text: '6,a\0', line: 9, byte: 52 },
    { id: 7, note: 'last' },
    { id: 8, note: 'ok' },
  ]
  for (const content of [text, gzipSync(text)]) {
    const path = await temporaryFile(content)
    expect(await recordsOf(csv(path, { columns: { id: 'int64', note: 'string' } }))).toEqual(
      expected,
    )
  }
})

test('columns are told from the records behind a broken one, too', async () => {
  const path = await temporaryFile('id,note\n1,a"b\n2,x\n3,y\n')
  expect(await recordsOf(csv(path))).toEqual([
    { text: '1,a"b', line: 2, byte: 11 },
    { id: 2, note: 'x' },
    { id: 3, note: 'y' },
  ])
  const bare = await temporaryFile('1,a"b\n2,x\n')
  expect(await recordsOf(csv(bare, { header: false }))).toEqual([
    { text: '1,a"b', line: 1, byte: 3 },
    { column_1: 2, column_2: 'x' },
  ])
})

test('a broken header, and a quote that is never closed, end the reading: nobody can tell what they hide', async () => {
  const header = await temporaryFile('id,no"te\n1,a\n')
  await expect(recordsOf(csv(header))).rejects.toMatchObject({ code: 'INPUT_MALFORMED' })
  const open = await temporaryFile('id,note\n1,"a\n2,b\n')
  await expect(recordsOf(csv(open))).rejects.toThrow('line 2 (byte 10): the quote that opens here')
})

test('standard input, too', async () => {
  async function* pieces(text: string): AsyncGenerator<Buffer> {
    const bytes = Buffer.from(text, 'latin1')
    for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3)
  }
  const context = { position: undefined, signal }
  const lenient = { maxRecordBytes: 100, isLenient: true } as const
  const read = async (reader: Awaited<ReturnType<typeof openStdin>>) =>
    (await batchesOf(reader)).flatMap(({ rows }) => rows.map(shown))
  const lines = pieces('{"a":1}\n{"a"\n{"a":2}\n')
  expect(await read(await openStdin({ ...lenient, format: 'ndjson' }, context, lines))).toEqual([
    { a: 1 },
    { text: '{"a"', line: 2, byte: 8 },
    { a: 2 },
  ])
  const table = pieces('a,b\n1,2\n3,x"y\n4\n5,6\n')
  const kind = { ...lenient, format: 'csv', options: {} } as const
  expect(await read(await openStdin(kind, context, table))).toEqual([
    { a: '1', b: '2' },
    { text: '3,x"y', line: 3, byte: 11 },
    { text: '4', line: 4, byte: 14 },
    { a: '5', b: '6' },
  ])
  const tall = pieces('a,"b\nc"\n1,2\n3\n')
  expect((await read(await openStdin(kind, context, tall)))[1]).toEqual({
    text: '3',
    line: 4,
    byte: 12,
  })
  const open = read(await openStdin(kind, context, pieces('a,b\n1,"2\n')))
  await expect(open).rejects.toThrow(
    'line 2 (byte 4): the record that begins here has a quote that',
  )
  // A header in another encoding would take bytes of the first record with it.
  const foreign = read(await openStdin(kind, context, pieces('a,\xe9\n12345,2\n')))
  await expect(foreign).rejects.toThrow('standard input, line 1 (byte 2): not UTF-8')
})

test('the lines before the place where reading goes on are counted once, however many bad records follow', async () => {
  const pad = JSON.stringify({ pad: 'p'.repeat(200_000) })
  const path = await temporaryFile(`${pad}\n${pad}\nbad\n${pad}\n${pad}\nworse\n`)
  const [first] = await lenientBatches(ndjson(path))
  const reader = await ndjson(path).openLenient?.({ position: first?.position, signal })
  const lines: unknown[] = []
  for await (const { rows } of reader?.batches() ?? []) {
    lines.push(...rows.map((row) => row instanceof MalformedRecord && row.error.facts['line']))
    // Whoever looked again would find nothing.
    await rm(path, { force: true })
  }
  await reader?.close()
  expect(lines).toEqual([false, 3, false, false, 6])
})

test('wherever bad records stand, each is given once, and every position yields exactly the rest', async () => {
  const kinds = fc.array(fc.constantFrom('good', 'good', 'good', 'ragged', 'quote', 'type'), {
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(kinds, fc.boolean(), async (kinds, isCsv) => {
      // Records so long that a file has several blocks.
      const pad = 'p'.repeat(30_000)
      const csvLines = {
        good: (n: number) => `${n},${pad}`,
        ragged: (n: number) => `${n}`,
        quote: (n: number) => `${n},a"${pad}`,
        type: (n: number) => `x${n},${pad}`,
      }
      const lines = kinds.map((kind, n) =>
        isCsv
          ? csvLines[kind](n)
          : kind === 'good'
            ? JSON.stringify({ n, pad: `${pad}${pad}` })
            : `${kind} ${n} ${pad}${pad}`,
      )
      const text = [...(isCsv ? ['n,pad'] : []), ...lines, ''].join('\n')
      const path = await temporaryFile(text)
      const source = isCsv ? csv(path, { columns: { n: 'int64', pad: 'string' } }) : ndjson(path)
      const batches = await lenientBatches(source)
      const all = batches.flatMap(({ rows }) => rows)
      expect(all).toHaveLength(kinds.length)
      for (const [n, row] of all.entries()) {
        const isGood = !(row instanceof MalformedRecord)
        expect(isGood).toBe(kinds[n] === 'good')
        if (isGood) expect(row).toMatchObject({ n })
        else expect(row.error.facts).toMatchObject({ line: n + (isCsv ? 2 : 1) })
        if (!isGood) expect(Buffer.from(row.bytes).toString()).toBe(lines[n])
      }
      let read = 0
      for (const { rows, position, rowsRead } of batches) {
        read += rows.length
        expect(rowsRead).toBe(read)
        const rest = (await lenientBatches(source, position)).flatMap((batch) => batch.rows)
        expect(rest.map(shown)).toEqual(all.slice(read).map(shown))
      }
    }),
    { numRuns: 20 },
  )
})
