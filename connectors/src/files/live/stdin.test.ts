import type { SourceReader } from '@millrace/processors'
import { expect, test } from 'vitest'
import { csv } from '../csv/csv.ts'
import { parquet } from '../parquet/parquet.ts'
import { openStdin } from './stdin.ts'

const ndjsonKind = { format: 'ndjson', maxRecordBytes: 1000 } as const
const context = { position: undefined, signal: new AbortController().signal }

async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text)
}

async function rowsOf<Row>(reader: SourceReader<Row>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const batch of reader.batches()) rows.push(...batch.rows)
  return rows
}

test('records come as they come in, cut anywhere, the last without a line end', async () => {
  const input = chunks('{"a"', ':1}\n{"a":2}\n\n{"', 'a":3}')
  expect(await rowsOf(await openStdin(ndjsonKind, context, input))).toEqual([
    { a: 1 },
    { a: 2 },
    { a: 3 },
  ])
})

test('a second run reads all of what it is given, and goes on counting', async () => {
  const reader = await openStdin(
    ndjsonKind,
    { ...context, position: { rows: 7 } },
    chunks('{"a":1}\n'),
  )
  for await (const batch of reader.batches()) {
    expect(batch).toMatchObject({ rows: [{ a: 1 }], rowsRead: 8, position: { rows: 8 } })
  }
})

test('CSV has its header and text, or the types that are declared', async () => {
  const kind = {
    format: 'csv',
    maxRecordBytes: 1000,
    options: { columns: { n: 'int64' } },
  } as const
  const input = chunks('n,t\r\n1,"a,', 'b"\r\n2,\r\n')
  expect(await rowsOf(await openStdin(kind, context, input))).toEqual([
    { n: 1, t: 'a,b' },
    { n: 2, t: null },
  ])
})

test('errors name the line, and what is compressed is refused', async () => {
  const bad = await openStdin(ndjsonKind, context, chunks('{"a":1}\n', 'x\n'))
  await expect(rowsOf(bad)).rejects.toThrow('standard input, line 2 (byte 8): not valid JSON')
  const long = await openStdin(ndjsonKind, context, chunks('{"a":1}\n', '['.repeat(2000)))
  await expect(rowsOf(long)).rejects.toThrow('standard input, line 2 (byte 8)')
  const zipped = chunks('\u001f')
  async function* gzip(): AsyncGenerator<Buffer> {
    yield Buffer.from([0x1f, 0x8b, 8, 0])
    yield* zipped
  }
  await expect(rowsOf(await openStdin(ndjsonKind, context, gzip()))).rejects.toThrow('zcat')
  expect(() => parquet('-')).toThrow('Put it into a file first')
})

test('sources of standard input are bounded and have a name', () => {
  expect(csv('-')).toMatchObject({ name: 'csv stdin', bounded: true, path: '-' })
})
