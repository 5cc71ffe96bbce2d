import { appendFileSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { csv } from '../files/csv/csv.ts'
import { ndjson } from '../files/ndjson/ndjson.ts'
import { parquet } from '../files/parquet/parquet.ts'
import { temporaryFile } from '../files/testing/file-fixture.ts'
import { postgres } from '../postgres/postgres.ts'
import { CuttingProxy } from '../postgres/testing/cutting-proxy.ts'
import { TestDatabase } from '../postgres/testing/test-database.ts'
import { load } from './load.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

const causesOf = (path: string): unknown[] =>
  readFileSync(`${path}.causes.ndjson`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)

test('of NDJSON, lines that are no objects and rows that the table refuses are kept as they are', async () => {
  await database.rows('CREATE TABLE lines (id int PRIMARY KEY, name text)')
  const bad = ['{"id":1,"name":"again"}', '{"id":"x"}', '{"id":', '{"id":7,"name":"\\u0000"}']
  const good = ['{"id":1,"name":"one"}', '{"name":"two","id":2}', ' { "id" : 3 } ']
  const path = await temporaryFile([...good, ...bad].join('\n'))
  const rejects = join(dirname(path), 'bad.ndjson')
  const sink = postgres(database.url).table('lines')
  const result = await load({ source: ndjson(path), sink, rejects: { path: rejects } })
  expect(result).toMatchObject({ outcome: 'loaded', rows: 3, rejected: 4 })
  expect(readFileSync(rejects, 'utf8')).toBe(`${bad.join('\n')}\n`)
  expect(causesOf(rejects)).toMatchObject([
    { line: 4, code: '23505' },
    { line: 5, column: 'id' },
    { line: 6, cause: expect.stringMatching(/not valid JSON/) as string },
    { line: 7, column: 'name', code: '22021' },
  ])
})

test('of an upsert, only the refused record of a key is kept, and the one before it stays', async () => {
  await database.rows('CREATE TABLE keyed (id int PRIMARY KEY, n numeric CHECK (n < 100), t text)')
  const path = await temporaryFile('id,n,t\n1,1.50,007\n2,5,\n1,500,x\n3,no,\n2,6.0,new\n')
  const rejects = join(dirname(path), 'bad.csv')
  const sink = postgres(database.url).table('keyed', { key: 'id' })
  const result = await load({ source: csv<{ id: number }>(path), sink, rejects: { path: rejects } })
  expect(result).toMatchObject({ outcome: 'loaded', rejected: 2 })
  expect(readFileSync(rejects, 'utf8')).toBe('id,n,t\n1,500,x\n3,no,\n')
  expect(await database.rows('SELECT id, n::text, t FROM keyed ORDER BY id')).toEqual([
    [1, '1.50', '007'],
    [2, '6.0', 'new'],
  ])
})

test('of Parquet, refused rows are kept as JSON with their number', async () => {
  await database.rows('CREATE TABLE columns (n smallint)')
  const columnData = [{ name: 'n', type: 'INT32' as const, data: [1, 70_000, 3] }]
  const path = await temporaryFile(new Uint8Array(parquetWriteBuffer({ columnData })))
  const rejects = join(dirname(path), 'bad.ndjson')
  const sink = postgres(database.url).table('columns')
  await load({ source: parquet(path), sink, rejects: { path: rejects } })
  expect(readFileSync(rejects, 'utf8')).toBe('{"n":70000}\n')
  expect(causesOf(rejects)).toMatchObject([{ row: 2 }])
})

test("somebody else's file is not overwritten", async () => {
  await database.rows('CREATE TABLE untouched (id int)')
  const path = await temporaryFile('id\nx\n')
  const mine = await temporaryFile('mine')
  const sink = postgres(database.url).table('untouched')
  const refused = load({ source: csv(path), sink, rejects: { path: mine } })
  await expect(refused).rejects.toThrow(/is there already/)
  expect(readFileSync(mine, 'utf8')).toBe('mine')
})

test('a burst of bad records among good ones is kept whole', async () => {
  await database.rows('CREATE TABLE burst (id int CHECK (id >= 0))')
  const ids = Array.from({ length: 20_000 }, (_, id) => (id % 7 === 0 ? `-${id + 1}` : `${id}`))
  const path = await temporaryFile(`id\n${ids.join('\n')}\n`)
  const rejects = join(dirname(path), 'bad.csv')
  const sink = postgres(database.url).table('burst')
  await load({ source: csv(path), sink, rejects: { path: rejects }, transactionBytes: 40_000 })
  const bad = ids.filter((id) => id.startsWith('-'))
  const [header, ...kept] = readFileSync(rejects, 'utf8').trim().split('\n')
  expect(header).toBe('id')
  expect(kept).toEqual(bad)
  expect(await database.rows('SELECT count(*)::int FROM burst')).toEqual([
    [ids.length - bad.length],
  ])
})

test('a file that grows while it is loaded is refused before its torn end', async () => {
  await database.rows('CREATE TABLE growing (id int, pad text)')
  const lines = Array.from({ length: 60_000 }, (_, id) => `${id},${'x'.repeat(40)}\n`).join('')
  const path = await temporaryFile(`id,pad\n${lines}`)
  const sink = postgres(database.url).table('growing')
  let isGrown = false
  const growing = load({
    source: csv(path),
    sink,
    transactionBytes: 130_000,
    onProgress: () => {
      if (!isGrown) appendFileSync(path, '60000,to')
      isGrown = true
    },
  })
  await expect(growing).rejects.toMatchObject({ code: 'INPUT_CHANGED' })
  expect(await database.rows('SELECT count(*)::int FROM growing WHERE id = 60000')).toEqual([[0]])
})

test('a file that changes is refused also where it ends with a chunk', async () => {
  await database.rows('CREATE TABLE grown (id int)')
  const transactionBytes = 1024
  const line = '1234567\n'
  const path = await temporaryFile(`id     \n${line.repeat((2 * transactionBytes) / line.length)}`)
  const sink = postgres(database.url).table('grown')
  const changing = load({
    source: csv(path),
    sink,
    transactionBytes,
    connections: 1,
    onProgress: () => utimesSync(path, 1, 1),
  })
  await expect(changing).rejects.toMatchObject({ code: 'INPUT_CHANGED' })
})

test('bytes that are no UTF-8 cost their record alone, wherever in the file they stand', async () => {
  await database.rows('CREATE TABLE encoded (id int, name text)')
  const text = `id,name\n1,\xe9\n2,b\n${'3,c\n'.repeat(50_000)}4,\xe9\n`
  const path = await temporaryFile(Buffer.from(text, 'latin1'))
  const rejects = join(dirname(path), 'bad.csv')
  const sink = postgres(database.url).table('encoded')
  const result = await load({ source: csv(path), sink, rejects: { path: rejects } })
  expect(result).toMatchObject({ rows: 50_001, rejected: 2 })
  expect(result.columns[0]).toMatchObject({ name: 'id', type: 'int64' })
  expect(readFileSync(rejects, 'latin1')).toBe('id,name\n1,\xe9\n4,\xe9\n')
  expect(causesOf(rejects)).toMatchObject([
    { line: 2, cause: expect.stringMatching(/not UTF-8/) as string },
    { line: 50_004 },
  ])
})

test('a file holds the rejected records of one table, and those of earlier loads as long as it stays there', async () => {
  await database.rows('CREATE TABLE mixed_a (id int)')
  await database.rows('CREATE TABLE mixed_b (id int)')
  const rejects = join(dirname(await temporaryFile('')), 'bad.csv')
  const loadInto = async (table: string, bad: string, max = Infinity): Promise<unknown> => {
    const source = csv(await temporaryFile(`id\n${bad}\n`))
    const sink = postgres(database.url).table(table)
    return load({ source, sink, rejects: { path: rejects, max } })
  }
  await loadInto('mixed_a', 'first')
  await expect(loadInto('mixed_b', 'other')).rejects.toThrow(/there already.*"mixed_b" refuses/)
  // Each load counts its own.
  await loadInto('mixed_a', 'second', 1)
  expect(readFileSync(rejects, 'utf8').split('\n').toSorted()).toEqual([
    '',
    'first',
    'id',
    'second',
  ])
  // Whoever takes the file away has the records.
  unlinkSync(rejects)
  await loadInto('mixed_b', 'other')
  expect(readFileSync(rejects, 'utf8')).toBe('id\nother\n')
  unlinkSync(rejects)
  await loadInto('mixed_a', 'third')
  expect(readFileSync(rejects, 'utf8')).toBe('id\nthird\n')
})

test("a load that is run again writes its rejected records once more, and nobody else's over them", async () => {
  await database.rows('CREATE TABLE rerun (id int)')
  const path = await temporaryFile('id\nx\n1\n')
  const rejects = join(dirname(path), 'bad.csv')
  const loading = (): Promise<unknown> =>
    load({
      source: csv(path),
      sink: postgres(database.url).table('rerun'),
      rejects: { path: rejects },
    })
  await loading()
  unlinkSync(rejects)
  expect(await loading()).toMatchObject({ outcome: 'unchanged', rejected: 1 })
  expect(readFileSync(rejects, 'utf8')).toBe('id\nx\n')
})

test('a file that somebody made while the load ran is not overwritten; what it was for is kept', async () => {
  await database.rows('CREATE TABLE raced (id int)')
  const path = await temporaryFile(`id\nx\n${'1\n'.repeat(5000)}`)
  const rejects = join(dirname(path), 'bad.csv')
  const loading = (onProgress: () => void): Promise<unknown> => {
    const sink = postgres(database.url).table('raced')
    return load({ source: csv(path), sink, rejects: { path: rejects }, onProgress })
  }
  await expect(loading(() => writeFileSync(rejects, 'mine'))).rejects.toThrow(
    /bad\.csv was changed|there already/,
  )
  expect(readFileSync(rejects, 'utf8')).toBe('mine')
  unlinkSync(rejects)
  expect(await loading(() => {})).toMatchObject({ outcome: 'unchanged', rejected: 1 })
  expect(readFileSync(rejects, 'utf8')).toBe('id\nx\n')
})

test('a file of rejected records that is being mended is not overwritten; one left alone grows', async () => {
  await database.rows('CREATE TABLE mended (id int)')
  const rejects = join(dirname(await temporaryFile('')), 'bad.csv')
  const loadOf = async (text: string): Promise<unknown> => {
    const sink = postgres(database.url).table('mended')
    return load({ source: csv(await temporaryFile(text)), sink, rejects: { path: rejects } })
  }
  await loadOf('id\nx\n1\n')
  await loadOf('id\n2\ny')
  expect(readFileSync(rejects, 'utf8').split('\n').toSorted()).toEqual(['', 'id', 'x', 'y'])
  writeFileSync(rejects, 'id\n3\ny\n')
  await expect(loadOf('id\n4\nz\n')).rejects.toThrow(/bad\.csv was changed since/)
  expect(readFileSync(rejects, 'utf8')).toBe('id\n3\ny\n')
  expect(await database.rows('SELECT count(*)::int FROM mended')).toEqual([[2]])
})

test('a database that is gone for good is waited for once, not again for the rejected records', async () => {
  await database.rows('CREATE TABLE gone (id int)')
  const path = await temporaryFile(`id\nx\n${'1\n'.repeat(20_000)}`)
  const proxy = await CuttingProxy.start(database.server.port)
  const retryForMs = 2_000
  const sink = postgres(proxy.through(database.url)).table('gone', { connections: 1, retryForMs })
  const delays: number[] = []
  const loading = load({
    source: csv(path),
    sink,
    connections: 1,
    transactionBytes: 1000,
    rejects: { path: join(dirname(path), 'bad.csv') },
    onProgress: ({ rows }) => void (rows > 0 && proxy.stop()),
    onNotice: (notice) => {
      const delay = /trying again in ([\d.]+) s/.exec(notice)?.[1]
      if (delay !== undefined) delays.push(Number(delay))
    },
  })
  await expect(loading).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(delays.length).toBeGreaterThan(1)
  // Whoever begins anew begins with short ones.
  expect(delays).toEqual(delays.toSorted((a, b) => a - b))
})

test('times without a zone are UTC, also beside a refused record and in an upsert', async () => {
  await database.rows(`ALTER DATABASE postgres SET TimeZone = 'America/New_York'`)
  await database.rows('CREATE TABLE times (id int PRIMARY KEY, at timestamptz)')
  const utc = `SELECT id, at AT TIME ZONE 'UTC' = '2026-01-01 12:00' FROM times ORDER BY id`
  const append = await temporaryFile('id,at\n1,2026-01-01 12:00:00\nx,2026-01-01 12:00:00\n')
  const rejects = join(dirname(append), 'bad.csv')
  const to = postgres(database.url)
  await load({ source: csv(append), sink: to.table('times'), rejects: { path: rejects } })
  expect(await database.rows(utc)).toEqual([[1, true]])
  const upsert = await temporaryFile('id,at\n1,2026-01-01 12:00:00\n2,2026-01-01T12:00:00\n')
  await load({ source: csv<{ id: number }>(upsert), sink: to.table('times', { key: 'id' }) })
  expect(await database.rows(utc)).toEqual([
    [1, true],
    [2, true],
  ])
})
