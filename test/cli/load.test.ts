import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { type PostgresServer, startPostgres } from '@millrace/connectors/testing'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type CommandOptions, type Kill, millrace } from './run-command.ts'

const cwd = mkdtempSync(join(tmpdir(), 'millrace-load-'))
let server: PostgresServer
let database: Client

beforeAll(async () => {
  server = await startPostgres({ directory: join(cwd, 'postgres') })
  database = new Client({ connectionString: server.url })
  await database.connect()
  writeFileSync(join(cwd, 'people.csv'), 'name,age\nAda,36\nBob,12\nCleo,41\n')
})

afterAll(async () => {
  await database.end()
  await server.stop()
  rmSync(cwd, { recursive: true, force: true })
})

const load = (words: string[], options: CommandOptions = {}) =>
  millrace(['load', ...words], { cwd, env: { DATABASE_URL: server.url }, ...options })

async function count(table: string): Promise<number> {
  const { rows } = await database.query(`SELECT count(*)::int AS count FROM ${table}`)
  return (rows[0] as { count: number }).count
}

test('a file is loaded once: the second run does nothing', async () => {
  const first = await load(['people.csv', '--table', 'people', '--create'])
  expect(first).toMatchObject({ code: 0, stdout: '' })
  expect(first.stderr).toContain('people has 3 rows of people.csv')
  expect(await count('people')).toBe(3)
  const second = await load(['people.csv', '--table', 'people'])
  expect(second.code).toBe(0)
  expect(second.stderr).toContain('already')
  expect(await count('people')).toBe(3)
})

test('with a key the last row of a key wins', async () => {
  writeFileSync(join(cwd, 'ages.ndjson'), '{"name":"Ada","age":36}\n{"name":"Ada","age":37}\n')
  const { code } = await load(['ages.ndjson', '--table', 'ages', '--key', 'name', '--create'])
  expect(code).toBe(0)
  expect((await database.query('SELECT name, age::int FROM ages')).rows).toEqual([
    { name: 'Ada', age: 37 },
  ])
})

test('Ctrl-C commits what is under way and ends with 130; the same command goes on from there', async () => {
  const rows = 2_000_000
  const file = createWriteStream(join(cwd, 'numbers.csv'))
  file.write('n\n')
  for (let n = 0; n < rows; n += 10_000) {
    file.write(Array.from({ length: 10_000 }, (_, i) => `${n + i}\n`).join(''))
  }
  await finished(file.end())
  const words = ['numbers.csv', '--table', 'numbers']
  await database.query('CREATE TABLE numbers (n int)')
  // Whoever loads waits for this lock, so the signal comes in the middle.
  await database.query('BEGIN; LOCK TABLE numbers')
  const interruptWhenWaiting = async (kill: Kill) => {
    await vi.waitUntil(async () => (await count('pg_locks WHERE NOT granted')) > 0, 20_000)
    kill('SIGINT')
  }
  const { code } = await load(words, {
    onStart: (kill) => void interruptWhenWaiting(kill),
    onceSaid: { text: /Committing/, act: () => void database.query('COMMIT') },
  })
  expect(code).toBe(130)
  expect(await count('numbers')).toBeLessThan(rows)
  expect((await load(words)).code).toBe(0)
  const sums = await database.query(
    'SELECT count(*)::int AS count, sum(n)::float8 AS sum FROM numbers',
  )
  expect(sums.rows).toEqual([{ count: rows, sum: (rows * (rows - 1)) / 2 }])
})

test.each([
  ['a file that is not there', ['poeple.csv', '--table', 'people'], 'Did you mean "people.csv"?'],
  ['a table that is not there', ['people.csv', '--table', 'poeple'], 'poeple'],
  ['no table', ['people.csv'], '--table'],
  ['upsert without a key', ['people.csv', '--table', 'people', '--mode', 'upsert'], 'key'],
  ['a file of no known kind', ['postgres', '--table', 'people'], '--format'],
])('%s ends with 2 and says what to do', async (_, words, hint) => {
  const { code, stderr } = await load(words)
  expect(stderr).toContain(hint)
  expect(code).toBe(2)
})

test('a malformed record ends with 1 and names its line', async () => {
  writeFileSync(join(cwd, 'bad.csv'), 'name,age\nAda,36\nBob\n')
  const { code, stderr } = await load(['bad.csv', '--table', 'people'])
  expect(code).toBe(1)
  expect(stderr).toContain('line 3')
})

test('a wrong password ends with 2, and is not shown', async () => {
  const url = new URL(server.url)
  url.password = 'not-the-secret'
  const { code, stderr } = await load(['people.csv', '--to', url.href, '--table', 'people'])
  expect(code).toBe(2)
  expect(stderr).not.toContain('not-the-secret')
  expect(stderr).toContain('password')
})

test('a database that cannot be reached ends with 4', async () => {
  const to = 'postgres://someone:secret@127.0.0.1:1/nowhere'
  const { code, stderr } = await load(['people.csv', '--to', to, '--table', 'people'])
  expect(code).toBe(4)
  expect(stderr).not.toContain('secret')
})
