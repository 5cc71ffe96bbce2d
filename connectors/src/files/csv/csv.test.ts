import { appendFile, readFile, utimes, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBatches, readRows, temporaryFile } from '../testing/file-fixture.ts'
import { csv } from './csv.ts'

const text = { columns: { a: 'string', b: 'string' } } as const

describe('rows', () => {
  test('take their types from a sample; dates and times stay the text that they are', async () => {
    const path = await temporaryFile(
      'i,f,s,b,d,t,big,code\n1,1.5,x,true,2001-01-02,2001-01-02 03:04:05.5,9007199254740993,007\n' +
        ',,,,,,,\n',
    )
    const reader = await csv(path).open({ position: undefined, signal: AbortSignal.abort() })
    await reader.close()
    expect(reader.columns?.map(({ name, type }) => `${name} ${type}`)).toEqual(
      [
        'i int64',
        'f float64',
        's string',
        'b boolean',
        'd date',
        't timestamp',
        'big int64',
      ].concat('code string'),
    )
    expect(await readRows(csv(path))).toEqual([
      {
        i: 1,
        f: 1.5,
        s: 'x',
        b: true,
        d: '2001-01-02',
        t: '2001-01-02 03:04:05.5',
        big: 9007199254740993n,
        code: '007',
      },
      { i: null, f: null, s: null, b: null, d: null, t: null, big: null, code: null },
    ])
  })

  test('hold no number that is another one than the file has', async () => {
    const path = await temporaryFile(
      'a,b,c,d\n1.5,1e400,"{""id"":9007199254740993}",0.5\n9007199254740993,1,{},2\n',
    )
    expect(await readRows(csv(path))).toEqual([
      { a: '1.5', b: '1e400', c: { id: 9007199254740993n }, d: 0.5 },
      { a: '9007199254740993', b: '1', c: {}, d: 2 },
    ])
    const declared = csv(path, { columns: { a: 'float64' } })
    await expect(readRows(declared)).rejects.toThrow(/line 3 .*"9007199254740993" is no float64/)
  })

  test('tell an empty text in quotes from null', async () => {
    const path = await temporaryFile('a,b\n"",\n,""\n"x","y"\n')
    expect(await readRows(csv(path, text))).toEqual([
      { a: '', b: null },
      { a: null, b: '' },
      { a: 'x', b: 'y' },
    ])
  })

  test.each([
    ['a byte order mark', '\uFEFFa,b\n1,2\n'],
    ['no line end at the end', 'a,b\n1,2'],
    ['carriage returns', 'a,b\r\n1,2\r\n'],
    ['carriage returns and quotes', '"a","b"\r\n"1","2"\r\n'],
    ['mixed line ends', 'a,b\r\n1,2\n'],
    ['mixed line ends and quotes', '"a",b\n"1","2"\r\n'],
    ['a carriage return after the last quote', 'a,b\r\n1,"2"\r\n'],
    ['empty lines', 'a,b\n\n1,2\n\n\n'],
    ['semicolons', 'a;b\n1;2\n'],
    ['tabs', 'a\tb\n1\t2\n'],
    ['quoted line feeds in the header', '"a",b\n1,2\n'],
  ])('come out the same with %s', async (_, content) => {
    const path = await temporaryFile(content)
    expect(await readRows(csv(path, text))).toEqual([{ a: '1', b: '2' }])
  })

  test('keep apart records with line ends of both kinds between quotes', async () => {
    const path = await temporaryFile('a,b\n"1",2\r\n"1","2"\n1,2\r\n1,"2"\n')
    expect(await readRows(csv(path, text))).toEqual(
      Array.from({ length: 4 }, () => ({ a: '1', b: '2' })),
    )
  })

  test('come from a file without a header by place or by declared names', async () => {
    const path = await temporaryFile('1,x\n2,y\n')
    const declared = csv(path, { header: false, columns: { n: 'int32', s: 'string' } })
    expect(await readRows(csv(path, { header: false }))).toEqual([
      { column_1: 1, column_2: 'x' },
      { column_1: 2, column_2: 'y' },
    ])
    expect(await readRows(declared)).toEqual([
      { n: 1, s: 'x' },
      { n: 2, s: 'y' },
    ])
  })

  test.each([
    ['an empty file', ''],
    ['a byte order mark alone', '\uFEFF'],
    ['a header alone', 'a,b\n'],
    ['a header without a line end', 'a,b'],
  ])('are none in %s', async (_, content) => {
    expect(await readRows(csv(await temporaryFile(content)))).toEqual([])
  })

  test('with quotes turned off may hold quotes', async () => {
    const path = await temporaryFile('a,b\n5" disk,"x\n')
    expect(await readRows(csv(path, { quote: '' }))).toEqual([{ a: '5" disk', b: '"x' }])
  })

  test('keep a column named __proto__', async () => {
    const path = await temporaryFile('__proto__,b\n1,2\n')
    const [row] = await readRows(csv(path))
    expect(Object.getOwnPropertyDescriptor(row, '__proto__')?.value).toBe(1)
  })

  test('survive a round trip with any text in any field', async () => {
    const field = fc.oneof(
      fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0')),
      fc.constantFrom('', '"', '""', ',', '\n', '\r\n', 'a"b', 'a\nb', '\r'),
      fc.constant(null),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(field, field)), fc.constantFrom('\n', '\r\n'), roundTrip),
      { numRuns: 300 },
    )
  })
})

async function roundTrip(
  rows: readonly (readonly [string | null, string | null])[],
  lineEnd: string,
): Promise<void> {
  const quoted = (value: string | null): string =>
    value === null ? '' : `"${value.replaceAll('"', '""')}"`
  const lines = rows.map((row) => row.map(quoted).join(',') + lineEnd)
  const path = await temporaryFile(`a,b${lineEnd}${lines.join('')}`)
  expect(await readRows(csv(path, text))).toEqual(rows.map(([a, b]) => ({ a, b })))
}

describe('positions', () => {
  const columns = { n: 'int64', t: 'string' } as const
  const content = `n,t\n${Array.from({ length: 60_000 }, (_, n) => `${n},"line\n""${n}"""\n`).join('')}`
  const all = Array.from({ length: 60_000 }, (_, n) => ({ n, t: `line\n"${n}"` }))

  test.each([
    ['plain', Buffer.from(content)],
    ['gzip', gzipSync(content)],
    ['zstd', zstdCompressSync(content)],
    ['gzip in two members', Buffer.concat([gzipSync('n,t\n'), gzipSync(content.slice(4))])],
    [
      'zstd in two frames',
      Buffer.concat([zstdCompressSync('n,t\n'), zstdCompressSync(content.slice(4))]),
    ],
  ])('give exactly the rest after every batch (%s)', async (_, bytes) => {
    const path = await temporaryFile(bytes)
    const batches = await readBatches(csv(path, { columns }))
    expect(batches.length).toBeGreaterThan(3)
    expect(batches.flatMap(({ rows }) => rows)).toEqual(all)
    expect(batches.at(-1)?.bytesRead).toBe(bytes.length)
    for (const batch of batches) {
      const rest = await readBatches(csv(path, { columns }), batch.position)
      expect(rest.flatMap(({ rows }) => rows)).toEqual(all.slice(batch.rowsRead))
      expect(rest.at(-1)?.rowsRead ?? batch.rowsRead).toBe(all.length)
    }
  })

  test('refuse a file that has changed', async () => {
    const path = await temporaryFile('a\n1\n2\n')
    const [batch] = await readBatches(csv(path))
    await appendFile(path, '3\n')
    await expect(readRows(csv(path), batch?.position)).rejects.toThrow(/has changed.*6 bytes then/)
    await writeFile(path, 'a\n1\n3\n')
    await expect(readRows(csv(path), batch?.position)).rejects.toMatchObject({
      code: 'INPUT_CHANGED',
    })
    await writeFile(path, 'a\n1\n2\n')
    await utimes(path, 1, 1)
    await expect(readRows(csv(path), batch?.position)).rejects.toThrow(/modified/)
  })

  test('of another source are refused', async () => {
    const path = await temporaryFile('a\n1\n')
    await expect(readRows(csv(path), { rowGroup: 1 })).rejects.toThrow(/another kind of source/)
  })
})

describe('bad input is named by file, line and byte', () => {
  const good = (lines: number): string =>
    `a,b\n${Array.from({ length: lines }, (_, n) => `${n},"x\n${n}"\n`).join('')}`
  const before = good(40_000)
  const line = 80_002
  const byte = Buffer.byteLength(before)

  test.each([
    ['a missing field', '7\n8,y\n', 0, /1 field where there should be 2/],
    ['a surplus field', '7,"y",9\n', 0, /3 fields where there should be 2/],
    ['a value of another type', 'seven,y\n', 0, /column a: "seven" is no int64/],
    ['an integer past int64', '9223372036854775808,y\n', 0, /column a: .* is no int64/],
    ['a quote inside a field', '7,y"z\n8,y\n', 3, /a quote inside a field/],
    ['text after a closing quote', '7,"y"z\n', 5, /text after a closing quote/],
    ['an unclosed quote', '7,"y\n8,y\n', 2, /the quote that opens here is not closed/],
    ['text that is not UTF-8', Buffer.from([0x37, 0x2c, 0xe4, 0x0a]), 2, /not UTF-8/],
    ['a NUL byte', '7,y\0\n', 3, /a NUL byte/],
  ])('%s', async (_, bad, offset, reason) => {
    const path = await temporaryFile(Buffer.concat([Buffer.from(before), Buffer.from(bad)]))
    const rows = { a: 'int64', b: 'string' } as const
    await expect(readRows(csv(path, { columns: rows }))).rejects.toMatchObject({
      code: 'INPUT_MALFORMED',
      message: expect.stringMatching(reason),
      facts: { file: path, line, byte: byte + offset },
    })
  })

  test('what stands before it is delivered first', async () => {
    const path = await temporaryFile(`${before}7,y"z\n`)
    const reader = await csv(path, text).open({
      position: undefined,
      signal: new AbortController().signal,
    })
    let rows = 0
    await expect(async () => {
      for await (const batch of reader.batches()) rows = batch.rowsRead
    }).rejects.toThrow(`${path}, line ${line}`)
    await reader.close()
    expect(rows).toBe(40_000)
  })

  test('an unclosed quote swallows no more than the limit', async () => {
    const path = await temporaryFile(`a,b\n1,"x\n${'2,y\n'.repeat(500_000)}`)
    const source = csv(path, { ...text, maxRecordBytes: 300_000 })
    await expect(readRows(source)).rejects.toThrow(/line 2 \(byte 6\).*within 300000 bytes/)
  })

  test.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 20)],
    ['damaged', (bytes: Buffer) => bytes.fill(0x55, 500, 600)],
  ])('a gzip file %s', async (_, spoil) => {
    const path = await temporaryFile(spoil(gzipSync(good(20_000))))
    await expect(readRows(csv(path, text))).rejects.toMatchObject({ code: 'INPUT_DAMAGED' })
  })

  test.each([
    ['UTF-16', Buffer.from('\uFEFFa,b\n', 'utf16le'), /UTF-16.*iconv/],
    ['lines that end in carriage returns', 'a,b\r1,2\r', /carriage returns alone/],
    ['two columns of one name', 'a,a\n1,2\n', /two columns are named a/],
    ['a header that is not UTF-8', Buffer.from([0xe4, 0x2c, 0x62, 0x0a]), /line 1.*not UTF-8/],
  ])('%s', async (_, content, reason) => {
    await expect(readRows(csv(await temporaryFile(content)))).rejects.toThrow(reason)
  })

  test('a file that is not there, and a directory', async () => {
    await expect(readRows(csv('/nowhere/x.csv'))).rejects.toThrow(/\/nowhere\/x.csv: no such file/)
    const empty = dirname(await temporaryFile('', 'input.txt'))
    await expect(readRows(csv(empty))).rejects.toThrow(/no csv file in this directory/)
    await expect(readRows(csv('/dev/null'))).rejects.toThrow(/not a regular file/)
  })

  test('a declared column that the header lacks', async () => {
    const source = csv(await temporaryFile('a,b\n'), { columns: { c: 'string' } })
    await expect(readRows(source)).rejects.toThrow(/has no column c; it has a, b/)
  })
})

test('reading leaves the file as it was', async () => {
  const path = await temporaryFile('a\n1\n')
  await readRows(csv(path))
  expect(await readFile(path, 'utf8')).toBe('a\n1\n')
})
