import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres } from '../postgres/postgres.ts'
import { CuttingProxy } from '../postgres/testing/cutting-proxy.ts'
import { TestDatabase } from '../postgres/testing/test-database.ts'
import { loadTable } from './load-table.ts'

let database: TestDatabase
let target: string
beforeAll(async () => {
  database = await TestDatabase.start()
  await database.rows('CREATE SCHEMA copies')
  target = database.url
  await database.rows(
    `CREATE TABLE many AS SELECT id, 'row ' || id AS name, id / 7.0 AS amount,
       timestamptz '2001-02-03' + id * interval '1 s' AS at, jsonb_build_object('id', id) AS doc,
       repeat('x', CASE WHEN id % 5000 = 0 THEN 300000 ELSE 1 END) AS pad, NULL::text AS nothing
     FROM generate_series(1, 50000) AS id`,
  )
  await database.rows('ANALYZE many')
})
afterAll(() => database.stop())

const differences = async (one: string, other: string): Promise<unknown> => {
  const [[count] = []] = await database.rows(
    `SELECT count(*)::int FROM ((TABLE ${one} EXCEPT ALL TABLE ${other})
       UNION ALL (TABLE ${other} EXCEPT ALL TABLE ${one})) AS d`,
  )
  return count
}

test('a table is copied as it is, once', async () => {
  const options = {
    from: { url: database.url, table: 'many' },
    sink: postgres(target).table('copies.many'),
    create: { url: target, table: 'copies.many' },
  }
  const steps: number[] = []
  const first = await loadTable({ ...options, onProgress: ({ rows }) => steps.push(rows) })
  expect(first).toMatchObject({ outcome: 'loaded', rows: 50_000 })
  expect(steps.at(-1)).toBe(50_000)
  expect(await differences('many', 'copies.many')).toBe(0)
  expect(await loadTable(options)).toMatchObject({ outcome: 'unchanged', rows: 50_000 })
  expect(await differences('many', 'copies.many')).toBe(0)
})

test('other types, and types of its own, go as text; columns are renamed and left out', async () => {
  await database.rows(`CREATE TYPE mood AS ENUM ('fine', 'tired')`)
  await database.rows(
    `CREATE TABLE moods AS SELECT id, 'fine'::mood AS mood, E'a\\tb\\n\\\\' AS text FROM generate_series(1, 9) AS id`,
  )
  await database.rows('CREATE TABLE copies.moods (key bigint, mood mood)')
  const result = await loadTable({
    from: { url: database.url, table: 'moods', mapping: { rename: { id: 'key' }, skip: ['text'] } },
    sink: postgres(target).table('copies.moods'),
  })
  expect(result).toMatchObject({ outcome: 'loaded', rows: 9 })
  expect(await database.rows('SELECT sum(key)::int, min(mood) FROM copies.moods')).toEqual([
    [45, 'fine'],
  ])
  await database.rows('CREATE TABLE copies.texts (text varchar)')
  const query = `SELECT text FROM moods WHERE id > 3; `
  await loadTable({
    from: { url: database.url, query },
    sink: postgres(target).table('copies.texts'),
  })
  expect(await database.rows('SELECT count(*)::int, min(text) FROM copies.texts')).toEqual([
    [6, 'a\tb\n\\'],
  ])
})

test('a row that the target refuses is named, and nothing is stored', async () => {
  await database.rows('CREATE TABLE copies.few (id int CHECK (id < 40000))')
  const load = loadTable({
    from: { url: database.url, query: 'SELECT id FROM many ORDER BY id' },
    sink: postgres(target).table('copies.few'),
  })
  await expect(load).rejects.toThrow(/Row 40000 of .* can't be stored.*check constraint/)
  expect(await database.rows('SELECT count(*)::int FROM copies.few')).toEqual([[0]])
  const missing = loadTable({
    from: { url: database.url, table: 'many' },
    sink: postgres(target).table('copies.few'),
  })
  await expect(missing).rejects.toMatchObject({ code: 'TABLE_MISMATCH' })
  const broken = loadTable({
    from: { url: database.url, query: 'SELECT 1 / (id - 20000) AS id FROM many ORDER BY 1' },
    sink: postgres(target).table('copies.few'),
  })
  await expect(broken).rejects.toThrow(/can't be read: division by zero/)
  expect(await database.rows('SELECT count(*)::int FROM copies.few')).toEqual([[0]])
})

test('a stopped load stores nothing', async () => {
  await database.rows('CREATE TABLE copies.stopped (LIKE many)')
  const controller = new AbortController()
  const options = {
    from: { url: database.url, table: 'many' },
    sink: postgres(target).table('copies.stopped'),
  }
  const stopped = await loadTable({
    ...options,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  })
  expect(stopped).toMatchObject({ outcome: 'stopped', rows: 0 })
  expect(await database.rows('SELECT count(*)::int FROM copies.stopped')).toEqual([[0]])
  expect(await loadTable(options)).toMatchObject({ outcome: 'loaded', rows: 50_000 })
  expect(await differences('many', 'copies.stopped')).toBe(0)
})

test.each(['before COMMIT', 'with COMMIT', 'after COMMIT'] as const)(
  'a connection to the target that breaks %s doubles nothing',
  async (cut) => {
    const table = `copies.cut_${cut.split(' ')[0]}`
    await database.rows(`CREATE TABLE ${table} (LIKE many)`)
    const proxy = await CuttingProxy.start(database.server.port)
    const sink = postgres(proxy.through(database.url)).table(table)
    const onProgress = ({ rows }: { rows: number }): void => {
      if (rows > 0 && proxy.cuts === 0) proxy.next = cut
    }
    const from = { url: database.url, table: 'many' }
    await loadTable({ from, sink, onProgress, name: table })
    expect(proxy.cuts).toBe(1)
    expect(await differences('many', table)).toBe(0)
    await proxy.stop()
  },
)

test('a killed load starts over', async () => {
  await database.rows('CREATE TABLE copies.killed (LIKE many)')
  const program = new URL('./testing/table-load-fixture.ts', import.meta.url).pathname
  let kills = 0
  for (let afterMs = 0; ; afterMs += 70) {
    const words = [program, database.url, 'many', 'copies.killed', `${afterMs}`]
    const child = spawn(process.execPath, words)
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== null) {
      expect(code).toBe(0)
      break
    }
    kills++
    const [[count] = []] = await database.rows('SELECT count(*)::int FROM copies.killed')
    expect([0, 50_000]).toContain(count)
  }
  // The first came with the first rows, however fast the others are.
  expect(kills).toBeGreaterThan(0)
  expect(await differences('many', 'copies.killed')).toBe(0)
})
