import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { timeOfText } from '@millrace/core/internal'
import type { Column } from '@millrace/processors'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { csvFormat } from '../csv/csv-format.ts'
import { csv } from '../csv/csv.ts'
import { ndjsonFormat } from '../ndjson/ndjson-format.ts'
import { ndjson } from '../ndjson/ndjson.ts'
import { parquetFormat } from '../parquet/parquet-format.ts'
import { parquet } from '../parquet/parquet.ts'
import { readRows } from '../testing/file-fixture.ts'
import type { OutColumn, OutFormat } from './row-encoder.ts'

type Row = Record<string, unknown>

async function writeRows(
  format: OutFormat,
  columns: readonly OutColumn[],
  rows: readonly Row[],
): Promise<string> {
  const path = join(directory, `file${format.extension}`)
  const encoder = format.begin(columns, new Set())
  const pieces: Uint8Array[] = []
  for (const [i, row] of rows.entries()) {
    encoder.add(null, row)
    // Files come in pieces: row groups, members, frames.
    if (i % 3 === 2) pieces.push(await encoder.take(false))
  }
  pieces.push(await encoder.take(true))
  await writeFile(path, Buffer.concat(pieces))
  return path
}

const columns: readonly Column[] = [
  { name: 'text', type: 'string', nullable: true },
  { name: 'whole', type: 'int64', nullable: true },
  { name: 'real', type: 'float64', nullable: true },
  { name: 'flag', type: 'boolean', nullable: true },
  { name: 'at', type: 'timestamp', nullable: true },
  { name: 'day', type: 'date', nullable: true },
  { name: 'id', type: 'uuid', nullable: true },
  { name: 'exact', type: 'decimal', nullable: true },
  { name: 'bytes', type: 'bytes', nullable: true },
]

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4 })
const timeMs = fc.integer({ min: -2e12, max: 4e12 })
const anyRow: fc.Arbitrary<Row> = fc.record({
  text: orNull(
    fc.oneof(
      fc.constantFrom('', ' ', '"', ',', '\n', '\r\n', '\\.', 'null', 'NaN', 'ä€😀'),
      fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
    ),
  ),
  whole: orNull(
    fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  ),
  real: orNull(fc.double({ noDefaultInfinity: false })),
  flag: orNull(fc.boolean()),
  at: orNull(timeMs),
  day: orNull(timeMs.map((ms) => Math.floor(ms / 86_400_000) * 86_400_000)),
  id: orNull(fc.uuid()),
  exact: orNull(fc.constantFrom('0', '-1.50', '123456789012345678901234567890.01')),
  bytes: orNull(fc.uint8Array()),
})

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-formats-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const timeNames = new Set(['at', 'day'])

/** Integers may come back as numbers or bigints, times as text, bytes as another kind of array. */
function alike(rows: readonly Row[]): Row[] {
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => {
        if (typeof value === 'number' && name === 'whole') return [name, BigInt(value)]
        if (typeof value === 'string' && timeNames.has(name)) return [name, timeOfText(value)]
        if (value instanceof Uint8Array) return [name, Buffer.from(value).toString('hex')]
        // Text has no negative zero.
        return [name, value === 0 ? 0 : value]
      }),
    ),
  )
}

test.each([
  ['', csvFormat()],
  [' with tabs and Windows line ends', csvFormat({ delimiter: '\t', lineEnd: '\r\n' })],
  [' in gzip', csvFormat({ compression: 'gzip' })],
  [' in zstd', csvFormat({ compression: 'zstd' })],
])('any rows survive a round trip through CSV%s', async (_, format) => {
  const types = Object.fromEntries(columns.map(({ name, type }) => [name, type]))
  await fc.assert(
    fc.asyncProperty(fc.array(anyRow, { minLength: 1, maxLength: 10 }), async (rows) => {
      const path = await writeRows(format, columns, rows)
      expect(alike(await readRows<Row>(csv(path, { columns: types })))).toEqual(alike(rows))
    }),
    { numRuns: 50 },
  )
})

test.each(['zstd', 'snappy', 'gzip', 'none'] as const)(
  'any rows survive a round trip through Parquet in %s',
  async (compression) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRow, { minLength: 1, maxLength: 10 }), async (rows) => {
        const path = await writeRows(parquetFormat({ compression }), columns, rows)
        const source = parquet<Row>(path)
        expect(alike(await readRows(source))).toEqual(alike(rows))
        const reader = await source.open({ position: undefined, signal: AbortSignal.abort() })
        await reader.close()
        // Decimals of any length are text.
        const types = columns.map(({ type }) => (type === 'decimal' ? 'string' : type))
        expect(reader.columns?.map(({ type }) => type)).toEqual(types)
      }),
      { numRuns: 50 },
    )
  },
)

test.each([
  ['', ndjsonFormat()],
  [' in gzip', ndjsonFormat({ compression: 'gzip' })],
  [' in zstd', ndjsonFormat({ compression: 'zstd' })],
] as const)('any JSON survives a round trip through NDJSON%s', async (_, format) => {
  const row = fc
    .dictionary(fc.string(), fc.jsonValue())
    .filter((each) => !/\d{16}/.test(JSON.stringify(each)))
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 10 }), async (rows) => {
      const path = await writeRows(format, [], rows)
      expect(await readRows<Row>(ndjson(path))).toEqual(JSON.parse(JSON.stringify(rows)))
    }),
    { numRuns: 50 },
  )
})

test('NDJSON has integers of any size, dates and bytes in their usual forms, the key first', async () => {
  const encoder = ndjsonFormat().begin([], new Set(['left_out']))
  encoder.add(
    { k: 1, n: 0 },
    { n: 2n ** 70n, at: new Date(0), b: new Uint8Array([1, 2]), left_out: 5 },
  )
  encoder.add({ k: 2 }, null)
  expect(Buffer.from(await encoder.take(true)).toString()).toBe(
    '{"k":1,"n":0,"at":"1970-01-01T00:00:00.000Z","b":"AQI="}\n{"k":2}\n',
  )
})

test('CSV quotes what must be, and tells null from nothing', async () => {
  const path = await writeRows(
    csvFormat({ lineEnd: '\r\n' }),
    [{ name: 'a' }, { name: 'b,c' }, { name: 'd', type: 'timestamp' }, { name: 'e', type: 'json' }],
    [
      { a: '', 'b,c': null, d: 0, e: 'text' },
      { a: 'x"y', 'b,c': 1.5, d: new Date(1), e: { f: [1n] } },
      { a: new Date(0), 'b,c': true, d: 0.001, e: null },
    ],
  )
  expect(await readFile(path, 'utf8')).toBe(
    [
      'a,"b,c",d,e',
      '"",,1970-01-01T00:00:00.000Z,"""text"""',
      '"x""y",1.5,1970-01-01T00:00:00.001Z,"{""f"":[1]}"',
      '1970-01-01T00:00:00.000Z,true,1970-01-01T00:00:00.000001Z,',
      '',
    ].join('\r\n'),
  )
})

test('a single column writes null as "", for an empty line is no row', async () => {
  const path = await writeRows(csvFormat(), [{ name: 'a' }], [{ a: null }, { a: 'x' }])
  expect(await readFile(path, 'utf8')).toBe('a\n""\nx\n')
})

test('what no Parquet column can hold is refused with its column', () => {
  const encoder = parquetFormat().begin(columns, new Set())
  for (const [name, value] of Object.entries({
    text: 1,
    whole: 1.5,
    at: 'never',
    id: 'x',
    bytes: 'y',
  })) {
    expect(() => encoder.add(null, { [name]: value })).toThrow(`column ${name}: `)
  }
  expect(encoder.waitingBytes).toBe(0)
})

test('rows since a mark can be given up', async () => {
  for (const format of [csvFormat(), ndjsonFormat(), parquetFormat()]) {
    const encoder = format.begin([{ name: 'a', type: 'int64' }], new Set())
    const other = format.begin([{ name: 'a', type: 'int64' }], new Set())
    encoder.add(null, { a: 1 })
    encoder.mark()
    encoder.add(null, { a: 2 })
    encoder.undo()
    encoder.add(null, { a: 3 })
    for (const a of [1, 3]) other.add(null, { a })
    expect(await encoder.take(true)).toEqual(await other.take(true))
  }
})
