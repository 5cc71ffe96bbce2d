import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryFile } from '../files/testing/file-fixture.ts'
import { TestDatabase } from '../postgres/testing/test-database.ts'
import type { FixtureOptions } from './testing/load-fixture.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

const count = 12_000
/** A record that the table refuses; the others are good. */
const isBad = (id: number): boolean => id % 2999 === 1
const idOf = (id: number): string => (isBad(id) ? `x${id}` : `${id}`)
const badRecord = (id: number): string => `${idOf(id)},"row\n""${id}"""\n`
const csvOf = (from: number, until: number): string => {
  const records = Array.from({ length: until - from }, (_, index) => badRecord(from + index))
  return `id,name\n${records.join('')}`
}
const bad = Array.from({ length: count }, (_, id) => id).filter(isBad)
const good = {
  count: count - bad.length,
  sum: (count * (count - 1)) / 2 - bad.reduce((sum, id) => sum + id, 0),
}

/** One life of a load; resolves with false when it was killed. */
async function live(options: FixtureOptions): Promise<boolean> {
  const program = new URL('./testing/load-fixture.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [program, JSON.stringify({ ...options })])
  let words = ''
  child.stderr.on('data', (text) => (words += String(text)))
  const [code] = (await once(child, 'exit')) as [number | null]
  expect(code === 0 || code === null, words).toBe(true)
  return code === 0
}

async function expectExact(table: string, rejects: string): Promise<void> {
  const sql = `SELECT count(*)::int, count(DISTINCT id)::int, sum(id)::int FROM ${table}`
  expect(await database.rows(sql)).toEqual([[good.count, good.count, good.sum]])
  const expected = bad.map(badRecord)
  const [header, ...records] = readFileSync(rejects, 'utf8').split(/(?<="\n|^id,name\n)/)
  expect(header).toBe('id,name\n')
  expect(records.toSorted()).toEqual(expected.toSorted())
}

const parts = [csvOf(0, 8000), csvOf(8000, 8003), csvOf(8003, count)] as const

test('a load killed at any of its statements, and gone on with by other numbers of connections, is exact', async () => {
  const paths = [await temporaryFile(parts[0]), await temporaryFile(parts[1])]
  paths.push(await temporaryFile(gzipSync(parts[2])))
  const rejects = join(dirname(paths[0] ?? ''), 'rejects.csv')
  await database.rows('CREATE TABLE killed_at (id int, name text)')
  const options = { paths, format: 'csv', url: database.url, table: 'killed_at', rejects } as const
  let lives = 0
  for (let isDone = false; !isDone; lives += 1) {
    const connections = [2, 4, 1, 3][lives % 4] as number
    isDone = await live({ ...options, connections, killAtStatement: 3 + 4 * lives + (lives % 2) })
  }
  expect(lives).toBeGreaterThan(3)
  await expectExact('killed_at', rejects)
  expect(await live({ ...options, connections: 2 })).toBe(true)
  await expectExact('killed_at', rejects)
}, 900_000)

test('a load killed ever later after its first rows is exact', async () => {
  const paths = [await temporaryFile(zstdCompressSync(csvOf(0, count)))]
  const rejects = join(dirname(paths[0] ?? ''), 'rejects.csv')
  await database.rows('CREATE TABLE killed_after (id int, name text)')
  const table = 'killed_after'
  const options = { paths, format: 'csv', url: database.url, table, rejects } as const
  let kills = 0
  while (!(await live({ ...options, connections: 3, killAfterMs: kills * 11 }))) kills += 1
  // The first came with the first rows, however fast the others are.
  expect(kills).toBeGreaterThan(0)
  await expectExact('killed_after', rejects)
})
