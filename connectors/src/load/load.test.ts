import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { utimes } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { console } from '../console/console.ts'
import { readRows, temporaryFile } from '../files/testing/file-fixture.ts'
import { csv } from '../files/csv/csv.ts'
import { ndjson } from '../files/ndjson/ndjson.ts'
import { parquet } from '../files/parquet/parquet.ts'
import { generate } from '../generate/generate.ts'
import { postgres } from '../postgres/postgres.ts'
import { CuttingProxy } from '../postgres/testing/cutting-proxy.ts'
import { TestDatabase } from '../postgres/testing/test-database.ts'
import type { LoadProgress } from './load.ts'
import { load } from './load.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

const lines = (count: number): string =>
  `id,name\n${Array.from({ length: count }, (_, id) => `${id},"row\n""${id}"""\n`).join('')}`

async function counted(table: string): Promise<unknown[]> {
  const sql = `SELECT count(*)::int, count(DISTINCT id)::int, sum(id)::int FROM ${table}`
  return (await database.rows(sql))[0] ?? []
}

const whole = (count: number): number[] => [count, count, (count * (count - 1)) / 2]

describe('a file goes into a table once', () => {
  test.each([
    ['CSV', 'csv_once', async () => csv(await temporaryFile(lines(3000)))],
    ['gzipped CSV', 'gzip_once', async () => csv(await temporaryFile(gzipSync(lines(3000))))],
    [
      'NDJSON',
      'ndjson_once',
      async () =>
        ndjson(
          await temporaryFile(
            Array.from({ length: 3000 }, (_, id) => `{"id":${id},"name":"x"}\n`).join(''),
          ),
        ),
    ],
    [
      'Parquet',
      'parquet_once',
      async () => {
        const data = Array.from({ length: 3000 }, (_, id) => id)
        const columnData = [{ name: 'id', type: 'INT32' as const, data }]
        return parquet(await temporaryFile(new Uint8Array(parquetWriteBuffer({ columnData }))))
      },
    ],
  ])('%s', async (_, table, makeSource) => {
    const source = await makeSource()
    const sink = postgres(database.url).table(table, { create: true })
    const progress: LoadProgress[] = []
    const first = await load({ source, sink, onProgress: (step) => progress.push(step) })
    expect(first).toMatchObject({ outcome: 'loaded', rows: 3000, rowsBefore: 0 })
    expect(await counted(table)).toEqual(whole(3000))
    const last = progress.at(-1)
    expect(last).toMatchObject({ rows: 3000, remainingMs: 0, bytes: last?.bytesTotal })
    const second = await load({ source, sink })
    expect(second).toMatchObject({ outcome: 'unchanged', rows: 3000, rowsBefore: 3000 })
    expect(await counted(table)).toEqual(whole(3000))
    await utimes(source.path, 1, 1)
    await expect(load({ source, sink })).rejects.toMatchObject({ code: 'INPUT_CHANGED' })
    expect(await counted(table)).toEqual(whole(3000))
  })

  test('again under another name', async () => {
    const source = csv(await temporaryFile(lines(10)))
    const sink = postgres(database.url).table('twice', { create: true })
    await load({ source, sink })
    expect(await load({ source, sink, name: 'again' })).toMatchObject({ outcome: 'loaded' })
    expect(await counted('twice')).toEqual([20, 10, 90])
  })

  test('and with a key replaces the rows that it finds', async () => {
    await database.rows('CREATE TABLE merged (id int PRIMARY KEY, name text)')
    await database.rows(`INSERT INTO merged VALUES (1, 'old'), (9, 'kept')`)
    const source = csv<{ id: number }>(await temporaryFile('id,name\n1,first\n2,two\n1,new\n'))
    const sink = postgres(database.url).table('merged', { key: 'id' })
    expect(await load({ source, sink })).toMatchObject({ outcome: 'loaded', rows: 3 })
    expect(await database.rows('SELECT * FROM merged ORDER BY id')).toEqual([
      [1, 'new'],
      [2, 'two'],
      [9, 'kept'],
    ])
  })

  test('a file of nothing but a header makes the table that was asked for, and loads nothing', async () => {
    const source = csv(await temporaryFile('id,name\n'))
    const sink = postgres(database.url).table('header_only', { create: true })
    expect(await load({ source, sink })).toMatchObject({ outcome: 'loaded', rows: 0 })
    expect(await database.rows('SELECT id, name FROM header_only')).toEqual([])
  })

  test('a file without a byte loads nothing and says so; no table can be made of it', async () => {
    await database.rows('CREATE TABLE nothing (id int)')
    const empty = csv(await temporaryFile(''))
    const notices: string[] = []
    const loading = load({
      source: [empty, csv(await temporaryFile('id\n1\n'))],
      sink: postgres(database.url).table('nothing'),
      onNotice: (notice) => notices.push(notice),
    })
    expect(await loading).toMatchObject({ outcome: 'loaded', rows: 1 })
    expect(notices).toEqual([expect.stringMatching(/input is empty/)])
    for (const whole of [false, true]) {
      const sink = postgres(database.url).table('made_of_nothing', { create: true })
      const making = load({ source: empty, sink, whole })
      await expect(making).rejects.toThrow(/names no columns.*"made_of_nothing"/)
    }
  })
})

test('a property that only late lines of NDJSON have is loaded, or refused where no column takes it', async () => {
  await database.rows('CREATE TABLE late (id int, pad text, note text)')
  await database.rows('CREATE TABLE late_narrow (id int, pad text)')
  const pad = 'x'.repeat(50)
  const rows = Array.from({ length: 10_000 }, (_, id) => ({
    id,
    pad,
    ...(id > 9000 && { note: pad }),
  }))
  const path = await temporaryFile(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const into = (table: string) => postgres(database.url).table(table)
  await load({ source: ndjson(path), sink: into('late') })
  expect(await database.rows('SELECT count(*)::int, count(note)::int FROM late')).toEqual([
    [10_000, 999],
  ])
  await expect(load({ source: ndjson(path), sink: into('late_narrow') })).rejects.toThrow(
    /no column "note"/,
  )
})

test('decimals of JSON stay as they are, whatever else is on their line and whichever way it goes', async () => {
  const digits = '0.1234567890123456789'
  const line = (id: number, at: string): string =>
    `{"id":${id},"n":${digits},"j":{"deep":[${digits}]},"t":${digits},"at":"${at}"}\n`
  const text = line(1, '2024-01-01T00:00:00Z') + line(2, '2024-01-01T00:00:00+02:00')
  for (const [table, key] of [['decimals'], ['decimals_by_key', 'id']] as const) {
    await database.rows(
      `CREATE TABLE ${table} (id int PRIMARY KEY, n numeric, j jsonb, t text, at timestamptz)`,
    )
    const sink = postgres(database.url).table(table, key === undefined ? {} : { key })
    await load({ source: ndjson<{ id: number }>(await temporaryFile(text)), sink })
    expect(await database.rows(`SELECT n::text, j->'deep'->>0, t FROM ${table}`)).toEqual([
      [digits, digits, digits],
      [digits, digits, digits],
    ])
  }
})

test.each(['1e400', '-1e400', '1e-400'])('%s is no double: it is refused', async (number) => {
  await database.rows('CREATE TABLE IF NOT EXISTS doubles (d double precision)')
  const source = ndjson(await temporaryFile(`{"d":1}\n{"d":${number}}\n`))
  const loading = load({ source, sink: postgres(database.url).table('doubles') })
  await expect(loading).rejects.toThrow(/line 2 .*out of range/)
  expect(await database.rows('SELECT FROM doubles')).toEqual([])
})

test('text passed as it stands means the same to the server as to the reader', async () => {
  await database.rows('CREATE TABLE same (n int, a text, b text)')
  const plain = fc.constantFrom('', 'x', '\\.', '\\N', ' ', 'ä', '\\', 'NULL')
  const any = fc.oneof(plain, fc.constantFrom('"', ',', '\n', '\r', '\r\n', '""', 'a"\n'))
  const quoted = any.map((text) => `"${text.replaceAll('"', '""')}"`)
  const field = fc.oneof(plain, quoted)
  const lineEnd = fc.constantFrom('\n', '\r\n', '\n\n')
  const records = fc.array(fc.tuple(field, field, lineEnd), { minLength: 1, maxLength: 20 })
  let round = 0
  await fc.assert(
    fc.asyncProperty(records, async (all) => {
      const body = all.map(([a, b, end], n) => `${n},${a},${b}${end}`).join('')
      const columns = { n: 'int32', a: 'string', b: 'string' } as const
      const source = csv(await temporaryFile(`n,a,b\n${body}`), { columns })
      await database.rows('TRUNCATE same')
      await load({ source, sink: postgres(database.url).table('same'), name: `same ${round++}` })
      const expected = (await readRows(source)).map(({ n, a, b }) => [n, a, b])
      expect(await database.rows('SELECT * FROM same ORDER BY n')).toEqual(expected)
    }),
    { numRuns: 60 },
  )
})

test('a line that ends in \\. does not end the load', async () => {
  await database.rows('CREATE TABLE marks (a text)')
  const source = csv(await temporaryFile('a\nx\n\\.\ny\n'), { columns: { a: 'string' } })
  await load({ source, sink: postgres(database.url).table('marks') })
  expect(await database.rows('SELECT a FROM marks')).toEqual([['x'], ['\\.'], ['y']])
})

describe('nothing is lost or doubled', () => {
  const count = 60_000
  const transactionBytes = 150_000

  test('when it is stopped and started again', async () => {
    const source = csv(await temporaryFile(lines(count)))
    const sink = postgres(database.url).table('stopped', { create: true })
    let runs = 0
    for (let isDone = false; !isDone; runs++) {
      const controller = new AbortController()
      const onProgress = (): void => controller.abort()
      const result = await load({
        source,
        sink,
        transactionBytes,
        signal: controller.signal,
        onProgress,
      })
      isDone = result.rows === count
      expect((await counted('stopped'))[0]).toBe(result.rows)
    }
    expect(runs).toBeGreaterThan(2)
    expect(await counted('stopped')).toEqual(whole(count))
  })

  test('when the process is killed', async () => {
    const path = await temporaryFile(lines(count))
    await database.rows('CREATE TABLE killed (id int, name text)')
    let kills = 0
    for (;;) {
      const program = new URL('./testing/load-fixture.ts', import.meta.url).pathname
      const options = {
        paths: [path],
        format: 'csv',
        url: database.url,
        table: 'killed',
        connections: 1,
        killAtStatement: 10 + 7 * kills,
      }
      const child = spawn(process.execPath, [program, JSON.stringify(options)])
      const [code] = (await once(child, 'exit')) as [number | null]
      if (code === 0) break
      expect(code).toBeNull()
      kills++
    }
    expect(kills).toBeGreaterThan(2)
    expect(await counted('killed')).toEqual(whole(count))
  })

  test.each(['before COMMIT', 'with COMMIT', 'after COMMIT'] as const)(
    'when the connection breaks %s',
    async (cut) => {
      const table = `cut_${cut.split(' ')[0]}`
      const proxy = await CuttingProxy.start(database.server.port)
      const source = csv(await temporaryFile(lines(count)))
      const sink = postgres(proxy.through(database.url)).table(table, { create: true })
      const onProgress = ({ rows }: LoadProgress): void => {
        if (rows > 0 && proxy.cuts === 0) proxy.next = cut
      }
      const notices: string[] = []
      const result = await load({
        source,
        sink,
        transactionBytes,
        onProgress,
        onNotice: (notice) => notices.push(notice),
      })
      expect(proxy.cuts).toBe(1)
      expect(notices.length).toBeGreaterThan(0)
      expect(result.rows).toBe(count)
      expect(await counted(table)).toEqual(whole(count))
      await proxy.stop()
    },
  )
})

describe('what the table refuses is named by file, line and byte', () => {
  const good = lines(20_000)

  test.each([
    ['a value of the wrong type', 'x,"n"\n', /column "id": invalid input syntax for type integer/],
    ['a missing field', '7\n', /1 field where there should be 2/],
    ['a value that breaks a constraint', '-1,"n"\n', /check constraint/],
    ['a repeated key, found later', '5,"n"\n', /duplicate key/],
    ['a record of several lines', 'x,"n\nm\n"\n', /invalid input syntax/],
    ['a NUL byte', '7,"\0"\n', /contains NUL/],
  ])('%s', async (what, bad, reason) => {
    const table = `refuses_${what.toLowerCase().split(' ').slice(-2).join('_')}`
    await database.rows(`CREATE TABLE ${table} (id int PRIMARY KEY CHECK (id >= 0), name text)`)
    const path = await temporaryFile(`${good}${bad}99999,"z"\n`)
    const sink = postgres(database.url).table(table)
    const byte = Buffer.byteLength(good)
    await expect(
      load({ source: csv(path), sink, transactionBytes: 150_000 }),
    ).rejects.toMatchObject({
      code: 'ROW_REFUSED',
      message: expect.stringMatching(reason),
      facts: { file: path, line: 40_002, byte },
    })
    const [[stored] = []] = await database.rows(`SELECT count(*)::int FROM ${table}`)
    expect(stored).toBeGreaterThan(0)
    expect(stored).toBeLessThan(20_000)
  })

  test('a row of a Parquet file by its number', async () => {
    await database.rows('CREATE TABLE small (n smallint)')
    const columnData = [{ name: 'n', type: 'INT32' as const, data: [1, 2, 70_000] }]
    const path = await temporaryFile(new Uint8Array(parquetWriteBuffer({ columnData })))
    const sink = postgres(database.url).table('small')
    await expect(load({ source: parquet(path), sink })).rejects.toThrow(/input, row 3: .*70000/)
  })
})

test('what can not be loaded is refused before anything is written', async () => {
  const source = csv(await temporaryFile('id,nmae\n1,x\n'))
  await database.rows('CREATE TABLE strict (id int, name text)')
  const sink = postgres(database.url).table('strict')
  await expect(load({ source, sink })).rejects.toThrow(/no column "nmae".*"name"/)
  const endless = generate({ record: (id) => ({ id }) })
  await expect(load({ source: endless, sink })).rejects.toThrow(/has no end/)
  await expect(load({ source, sink: console() })).rejects.toThrow(/stores no position/)
})
