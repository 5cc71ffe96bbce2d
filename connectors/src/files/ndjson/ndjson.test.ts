import { appendFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readBatches, readRows, temporaryFile } from '../testing/file-fixture.ts'
import { ndjson } from './ndjson.ts'

test('rows are the objects of the lines', async () => {
  const path = await temporaryFile('{"a":1,"b":{"c":[1]}}\n{"a":null,"d":"x"}\n')
  const reader = await ndjson(path).open({ position: undefined, signal: AbortSignal.abort() })
  await reader.close()
  expect(reader.columns).toEqual([
    { name: 'a', type: 'int64', nullable: true },
    { name: 'b', type: 'json', nullable: true },
    { name: 'd', type: 'string', nullable: true },
  ])
  expect(await readRows(ndjson(path))).toEqual([
    { a: 1, b: { c: [1] } },
    { a: null, d: 'x' },
  ])
})

test.each([
  ['a byte order mark', '\uFEFF{"a":1}\n{"a":2}\n'],
  ['no line end at the end', '{"a":1}\n{"a":2}'],
  ['carriage returns', '{"a":1}\r\n{"a":2}\r\n'],
  ['empty lines', '\n{"a":1}\n\n  \n{"a":2}\n\n'],
])('come out the same with %s', async (_, content) => {
  expect(await readRows(ndjson(await temporaryFile(content)))).toEqual([{ a: 1 }, { a: 2 }])
})

test('an empty file has no rows', async () => {
  expect(await readRows(ndjson(await temporaryFile('')))).toEqual([])
})

test('integers past 2^53 stay exact, in nested values too', async () => {
  const path = await temporaryFile('{"a":9007199254740993,"b":[-9007199254740993,1e300]}\n')
  expect(await readRows(ndjson(path))).toEqual([
    { a: 9007199254740993n, b: [-9007199254740993n, 1e300] },
  ])
})

test('any objects survive a round trip', async () => {
  const hasLongNumber = (value: unknown): boolean => /\d{16}/.test(JSON.stringify(value))
  const value = fc.jsonValue().filter((candidate) => !hasLongNumber(candidate))
  const rows = fc.array(fc.dictionary(fc.string(), value))
  await fc.assert(
    fc.asyncProperty(rows, async (all) => {
      const lines = all.map((row) => `${JSON.stringify(row)}\n`)
      const plain = lines.map((line) => JSON.parse(line) as unknown)
      expect(await readRows(ndjson(await temporaryFile(lines.join(''))))).toEqual(plain)
    }),
  )
})

test.each([
  ['plain', (text: string) => Buffer.from(text)],
  ['gzip', (text: string) => gzipSync(text)],
])('the position after any batch gives exactly the rest (%s)', async (_, encode) => {
  const all = Array.from({ length: 60_000 }, (_, n) => ({ n, text: `row ${n}` }))
  const path = await temporaryFile(encode(all.map((row) => `${JSON.stringify(row)}\n`).join('')))
  const batches = await readBatches(ndjson(path))
  expect(batches.length).toBeGreaterThan(3)
  for (const { position, rowsRead } of batches) {
    expect(await readRows(ndjson(path), position)).toEqual(all.slice(rowsRead))
  }
  await appendFile(path, ' ')
  await expect(readRows(ndjson(path), batches[0]?.position)).rejects.toThrow(/has changed/)
})

const before = '{"a":1}\n'.repeat(50_000)

test.each([
  ['broken JSON', '{"a":1\n{"a":2}\n', 0, /not valid JSON/],
  ['something that is no object', '[1]\n', 0, /each line holds an object/],
  ['text that is not UTF-8', Buffer.from([0x7b, 0xe4, 0x7d]), 1, /not UTF-8/],
  ['a NUL byte', '\0{"a":1}\n', 0, /not valid JSON/],
])('%s is named by file, line and byte', async (_, bad, offset, reason) => {
  const path = await temporaryFile(Buffer.concat([Buffer.from(before), Buffer.from(bad)]))
  await expect(readRows(ndjson(path))).rejects.toMatchObject({
    code: 'INPUT_MALFORMED',
    message: expect.stringMatching(reason),
    facts: { file: path, line: 50_001, byte: before.length + offset },
  })
})

test('a line past the limit is named', async () => {
  const path = await temporaryFile(`{"a":1}\n{"a":"${'x'.repeat(400_000)}"}\n`)
  const source = ndjson(path, { maxRecordBytes: 300_000 })
  await expect(readRows(source)).rejects.toThrow(/line 2 \(byte 8\): a line longer than 300000/)
})

test('a gzip file cut short is damaged, not shorter', async () => {
  const bytes = gzipSync(before)
  const path = await temporaryFile(bytes.subarray(0, bytes.length - 9))
  await expect(readRows(ndjson(path))).rejects.toMatchObject({ code: 'INPUT_DAMAGED' })
})
