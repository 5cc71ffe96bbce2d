import { appendFile, readFile, truncate } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import type { SchemaElement } from 'hyparquet'
import { parquetReadObjects } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, test } from 'vitest'
import { readBatches, readRows, temporaryFile } from '../testing/file-fixture.ts'
import { parquet } from './parquet.ts'

const flights = fileURLToPath(
  new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')),
)

type WriteOptions = Parameters<typeof parquetWriteBuffer>[0]

const compressors = {
  ZSTD: (input: Uint8Array) => zstdCompressSync(input),
  GZIP: (input: Uint8Array) => gzipSync(input),
}

function writeParquet(options: WriteOptions): Promise<string> {
  return temporaryFile(new Uint8Array(parquetWriteBuffer({ compressors, ...options })))
}

async function columnsOf(path: string): Promise<string[]> {
  const reader = await parquet(path).open({ position: undefined, signal: AbortSignal.abort() })
  await reader.close()
  return (reader.columns ?? []).map(
    ({ name, type, nullable, array }) =>
      `${name} ${type}${array ? '[]' : ''}${nullable ? '?' : ''}`,
  )
}

describe('the 3,000,000 flights', () => {
  test('have typed columns', async () => {
    expect(await columnsOf(flights)).toEqual([
      'date timestamp?',
      'delay int64?',
      'distance int64?',
      'origin string?',
      'destination string?',
    ])
  })

  test('come in order, equal to what hyparquet reads, over the border of two row groups', async () => {
    const limit = 280_000
    const ours = await readRows(parquet<Record<string, unknown>>(flights, { limit }))
    const buffer = (await readFile(flights)).buffer as ArrayBuffer
    const { compressors: decompress } = await import('hyparquet-compressors')
    const theirs = await parquetReadObjects({
      file: buffer,
      rowEnd: limit,
      compressors: decompress,
    })
    expect(ours.length).toBe(limit)
    const asOurs = (row: Record<string, unknown>) => ({
      ...row,
      date: (row['date'] as Date).getTime(),
      delay: Number(row['delay']),
      distance: Number(row['distance']),
    })
    expect(theirs.map(asOurs)).toEqual(ours)
  })

  test('can be counted whole', async () => {
    const source = parquet<{ delay: number }>(flights)
    const reader = await source.open({ position: undefined, signal: new AbortController().signal })
    let rows = 0
    let delays = 0
    for await (const batch of reader.batches()) {
      rows += batch.rows.length
      for (const { delay } of batch.rows) delays += delay
      expect(batch.rowsRead).toBe(rows)
    }
    await reader.close()
    expect({ rows, delays, total: reader.total.rows }).toEqual({
      rows: 3_000_000,
      delays: 20_003_603,
      total: 3_000_000,
    })
  })
})

describe('values', () => {
  const schemaOf = (element: Partial<SchemaElement>): SchemaElement[] => [
    { name: 'root', num_children: 1 },
    { name: 'v', repetition_type: 'OPTIONAL', ...element },
  ]
  const stored = (unit: 'MILLIS' | 'MICROS' | 'NANOS') =>
    ({ type: 'TIMESTAMP', isAdjustedToUTC: true, unit }) as const

  test.each([
    ['BOOLEAN', { type: 'BOOLEAN' }, [true, false], 'boolean', [true, false]],
    ['INT32', { type: 'INT32' }, [-1, 2 ** 31 - 1], 'int32', [-1, 2 ** 31 - 1]],
    ['safe INT64', { type: 'INT64' }, [-5n, 2n ** 53n - 1n], 'int64', [-5, 2 ** 53 - 1]],
    ['wide INT64', { type: 'INT64' }, [1n, 2n ** 53n], 'int64', [1n, 2n ** 53n]],
    ['DOUBLE', { type: 'DOUBLE' }, [0.1, -0], 'float64', [0.1, -0]],
    ['DATE', { type: 'INT32', converted_type: 'DATE' }, [new Date(864e5)], 'date', [864e5]],
    [
      'a time in milliseconds',
      { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
      [new Date(-1), new Date(1e12)],
      'timestamp',
      [-1, 1e12],
    ],
    [
      'a time in microseconds',
      { type: 'INT64', logical_type: stored('MICROS') },
      [-1n, 1_000_001n],
      'timestamp',
      [-0.001, 1000.001],
    ],
    [
      'a time in nanoseconds',
      { type: 'INT64', logical_type: stored('NANOS') },
      [1_700_000_000_000_000_000n],
      'timestamp',
      [1_700_000_000_000],
    ],
    ['text', { type: 'BYTE_ARRAY', converted_type: 'UTF8' }, ['', 'ä€'], 'string', ['', 'ä€']],
    [
      'JSON',
      { type: 'BYTE_ARRAY', converted_type: 'JSON' },
      [{ a: [1] }, 'x'],
      'json',
      [{ a: [1] }, 'x'],
    ],
    [
      'bytes',
      { type: 'BYTE_ARRAY' },
      [new Uint8Array([0, 255])],
      'bytes',
      [new Uint8Array([0, 255])],
    ],
    [
      'a decimal',
      { type: 'INT64', converted_type: 'DECIMAL', precision: 18, scale: 2 },
      [1234.56, -0.05],
      'decimal',
      ['1234.56', '-0.05'],
    ],
    [
      'UUID',
      { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } },
      ['c0ffee00-1234-4abc-8def-0123456789ab'],
      'uuid',
      ['c0ffee00-1234-4abc-8def-0123456789ab'],
    ],
  ] as const)('%s, with nulls between', async (_, element, data, type, expected) => {
    const path = await writeParquet({
      columnData: [{ name: 'v', data: [null, ...data, null] }],
      schema: schemaOf(element as Partial<SchemaElement>),
    })
    expect(await columnsOf(path)).toEqual([`v ${type}?`])
    const rows = await readRows(parquet(path))
    expect(rows.map(({ v }) => v)).toEqual([null, ...expected, null])
  })

  test('lists and structs are assembled', async () => {
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 2 },
      { name: 'l', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'OPTIONAL', type: 'INT64' },
      { name: 's', repetition_type: 'OPTIONAL', num_children: 1 },
      { name: 'x', repetition_type: 'OPTIONAL', type: 'INT32' },
    ]
    const columnData = [
      { name: 'l', data: [[1n, 2n], null, []] },
      { name: 's', data: [{ x: 1 }, null, { x: null }] },
    ]
    const path = await writeParquet({ columnData, schema })
    expect(await columnsOf(path)).toEqual(['l int64[]?', 's json?'])
    expect(await readRows(parquet(path))).toEqual([
      { l: [1, 2], s: { x: 1 } },
      { l: null, s: null },
      { l: [], s: { x: null } },
    ])
  })

  test('survive any encoding, codec, page and row group size', async () => {
    const shape = fc.record({
      codec: fc.constantFrom('UNCOMPRESSED', 'SNAPPY', 'GZIP', 'ZSTD'),
      pageSize: fc.constantFrom(16, 100, 10_000),
      rowGroupSize: fc.integer({ min: 1, max: 40 }),
    })
    const rows = fc.array(
      fc.record({
        i: fc.option(fc.maxSafeInteger()),
        few: fc.option(fc.constantFrom(1, 2, 3)),
        s: fc.option(fc.string()),
        word: fc.option(fc.constantFrom('ORD', 'ATL')),
      }),
      { minLength: 1, maxLength: 100 },
    )
    await fc.assert(
      fc.asyncProperty(shape, rows, async (options, all) => {
        const big = (value: number | null): bigint | null => (value === null ? null : BigInt(value))
        const path = await writeParquet({
          ...options,
          columnData: [
            { name: 'i', type: 'INT64', data: all.map(({ i }) => big(i)) },
            { name: 'few', type: 'INT64', data: all.map(({ few }) => big(few)) },
            { name: 's', type: 'STRING', data: all.map(({ s }) => s) },
            { name: 'word', type: 'STRING', data: all.map(({ word }) => word) },
          ],
        })
        expect(await readRows(parquet(path))).toEqual(all)
      }),
      { numRuns: 200 },
    )
  })
})

describe('positions', () => {
  const data = Array.from({ length: 30_000 }, (_, n) => n)
  const write = () =>
    writeParquet({
      columnData: [
        { name: 'n', type: 'INT32', data },
        { name: 's', type: 'STRING', data: data.map((n) => `row ${n % 100}`) },
      ],
      rowGroupSize: 12_345,
      pageSize: 9000,
    })

  test('give exactly the rest after every batch', async () => {
    const path = await write()
    const batches = await readBatches(parquet(path))
    expect(batches.length).toBeGreaterThan(4)
    expect(batches.flatMap(({ rows }) => rows.map(({ n }) => n))).toEqual(data)
    for (const { position, rowsRead } of batches) {
      const rest = await readBatches(parquet(path), position)
      expect(rest.flatMap(({ rows }) => rows.map(({ n }) => n))).toEqual(data.slice(rowsRead))
    }
  })

  test('go on past an earlier limit', async () => {
    const path = await write()
    const first = await readBatches(parquet(path, { limit: 13_000 }))
    const second = await readBatches(parquet(path, { limit: 20_000 }), first.at(-1)?.position)
    expect(first.at(-1)?.rowsRead).toBe(13_000)
    expect(second.flatMap(({ rows }) => rows.map(({ n }) => n))).toEqual(data.slice(13_000, 20_000))
  })

  test('refuse a file that has changed', async () => {
    const path = await write()
    const [batch] = await readBatches(parquet(path))
    await appendFile(path, 'x')
    await expect(readRows(parquet(path), batch?.position)).rejects.toMatchObject({
      code: 'INPUT_CHANGED',
      message: expect.stringContaining(path),
    })
  })
})

describe('a file that is no whole Parquet file is refused by name', () => {
  test('another format', async () => {
    const path = await temporaryFile('a,b\n1,2\n')
    await expect(readRows(parquet(path))).rejects.toThrow(`${path}: not a Parquet file`)
    await expect(readRows(parquet(await temporaryFile('')))).rejects.toThrow(/not a Parquet file/)
  })

  test('one cut short anywhere', async () => {
    const columnData = [{ name: 'n', type: 'INT32' as const, data: [1, 2, 3] }]
    const whole = new Uint8Array(parquetWriteBuffer({ columnData }))
    for (let length = 4; length < whole.length; length++) {
      const path = await temporaryFile(whole)
      await truncate(path, length)
      await expect(readRows(parquet(path))).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
    }
  })

  test('one with bytes damaged in the middle', async () => {
    const data = Array.from({ length: 1000 }, (_, n) => `row ${n}`)
    const columnData = [{ name: 's', type: 'STRING' as const, data }]
    const whole = new Uint8Array(
      parquetWriteBuffer({ columnData, codec: 'ZSTD', compressors: { ZSTD: compressors.ZSTD } }),
    )
    whole.fill(0x55, 100, 140)
    const path = await temporaryFile(whole)
    await expect(readRows(parquet(path))).rejects.toMatchObject({
      code: 'INPUT_DAMAGED',
      message: expect.stringContaining('row group 0'),
    })
  })

  test('one with a senseless limit', () => {
    expect(() => parquet('x', { limit: -1 })).toThrow(
      /limit must be a whole number of at least 0, not -1/,
    )
  })
})
