import { expect, test } from 'vitest'
import { csv } from './csv/csv.ts'
import { ndjson } from './ndjson/ndjson.ts'
import { readBatches, readRows, temporaryFile } from './testing/file-fixture.ts'

const count = 30_000
const lines = Array.from({ length: count }, (_, n) => n)

test.each([
  ['csv', csv, `n\n${lines.join('\n')}\n`],
  ['ndjson', ndjson, lines.map((n) => `{"n":${n}}\n`).join('')],
] as const)(
  '%s reads only the first rows, and a larger limit goes on at the next',
  async (_, source, text) => {
    const path = await temporaryFile(text)
    const numbersOf = (rows: readonly Record<string, unknown>[]) => rows.map((row) => row['n'])
    expect(await readRows(source(path, { limit: 0 }))).toEqual([])
    const first = await readBatches(source(path, { limit: 20_001 }))
    expect(numbersOf(first.flatMap(({ rows }) => rows))).toEqual(lines.slice(0, 20_001))
    expect(first.at(-1)?.rowsRead).toBe(20_001)
    const position = first.at(-1)?.position
    expect(await readRows(source(path, { limit: 20_001 }), position)).toEqual([])
    const more = await readBatches(source(path, { limit: 20_005 }), position)
    expect(numbersOf(more.flatMap(({ rows }) => rows))).toEqual(lines.slice(20_001, 20_005))
    const rest = await readRows(source(path), more.at(-1)?.position)
    expect(numbersOf(rest)).toEqual(lines.slice(20_005))
  },
)

test('a limit that is no number of rows is refused', () => {
  expect(() => csv('x', { limit: -1 })).toThrow('limit')
  expect(() => ndjson('x', { limit: 1.5 })).toThrow('limit')
})
