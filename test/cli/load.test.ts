import {
  appendFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
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
  mkdirSync(join(cwd, 'folder.d'))
  writeFileSync(join(cwd, 'notes'), '')
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
  ['upsert without a key', ['people.csv', '--table', 'people', '--mode', 'upsert'], '--key'],
  ['a file of no known kind', ['notes', '--table', 'people'], '--format'],
  ['a directory', ['folder.d', '--table', 'people'], "Name its files: 'folder.d/*.csv'"],
  [
    'what is for databases',
    ['people.csv', '--table', 'x', '--query', 'q'],
    '--query is for a data',
  ],
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

test('several files and patterns go into one table, by the names of their columns; a rerun takes only the new one', async () => {
  mkdirSync(join(cwd, 'parts'))
  writeFileSync(join(cwd, 'parts/a.csv'), 'id,name\n1,a\n2,b\n')
  writeFileSync(join(cwd, 'parts/b.csv.gz'), gzipSync('name,id\nc,3\n'))
  writeFileSync(join(cwd, 'more.csv'), zstdCompressSync('id,name\n4,d\n'))
  const words = ['parts/*.csv*', 'more.csv', '--table', 'parts', '--create', '--connections', '3']
  expect(await load(words)).toMatchObject({ code: 0 })
  writeFileSync(join(cwd, 'parts/c.csv'), 'id,name\n5,e\n')
  const again = await load(words)
  expect(again).toMatchObject({ code: 0 })
  expect(again.stderr).toContain('parts has 5 rows')
  const { rows } = await database.query('SELECT * FROM parts ORDER BY id')
  expect(rows.map(Object.values)).toEqual(
    ['a', 'b', 'c', 'd', 'e'].map((name, i) => [`${i + 1}`, name]),
  )
  writeFileSync(join(cwd, 'parts/d.csv'), 'id,nmae\n6,f\n')
  const wrong = await load(words)
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toMatch(/d\.csv lacks the column "name"/)
  expect(await count('parts')).toBe(5)
})

test('columns are renamed, left out and named anew', async () => {
  writeFileSync(join(cwd, 'old.csv'), 'Old Id;secret;note\n1;x;-\n2;y;"-"\n')
  const words = ['--rename', 'Old Id=id', '--skip', 'secret', '--null', '-', '--type', 'note=text']
  const named = await load(['old.csv', '--table', 'renamed', '--create', ...words])
  expect(named).toMatchObject({ code: 0 })
  expect((await database.query('SELECT * FROM renamed ORDER BY id')).rows).toEqual([
    { id: '1', note: null },
    { id: '2', note: '-' },
  ])
  writeFileSync(join(cwd, 'bare.csv'), '7|seven\n')
  const bare = ['bare.csv', '--table', 'renamed', '--no-header', '--columns', 'id,note']
  expect(await load(bare)).toMatchObject({ code: 0 })
  expect(await count('renamed')).toBe(3)
  const unknown = await load(['old.csv', '--table', 'renamed', '--rename', 'nope=id'])
  expect(unknown).toMatchObject({ code: 2 })
  expect(unknown.stderr).toContain('has no column "nope"')
})

test('refused records are kept as they stood, and can be loaded once they are mended', async () => {
  const bad = 'x2,"two\nlines"\n3\n'
  writeFileSync(join(cwd, 'mixed.csv'), `id,name\n1,one\n${bad}4,four\n`)
  await database.query('CREATE TABLE mixed (id int, name text)')
  const first = await load(['mixed.csv', '--table', 'mixed', '--rejects', 'bad-records.csv'])
  expect(first.code).toBe(3)
  expect(first.stderr).toContain('2 records refused')
  expect(await count('mixed')).toBe(2)
  expect(readFileSync(join(cwd, 'bad-records.csv'), 'utf8')).toBe(`id,name\n${bad}`)
  const causes = readFileSync(join(cwd, 'bad-records.csv.causes.ndjson'), 'utf8').trim().split('\n')
  expect(causes.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { file: 'mixed.csv', line: 3, byte: 14, column: 'id', code: '22P02' },
    { line: 5, byte: 29, cause: '1 field where there should be 2' },
  ])
  writeFileSync(join(cwd, 'mended.csv'), 'id,name\n2,"two\nlines"\n3,three\n')
  expect((await load(['mended.csv', '--table', 'mixed'])).code).toBe(0)
  expect(await count('mixed')).toBe(4)
  const few = ['--rejects', 'few.csv', '--max-rejects', '1', '--name', 'few']
  const tooMany = await load(['mixed.csv', '--table', 'mixed', ...few])
  expect(tooMany.code).toBe(1)
  expect(tooMany.stderr).toMatch(/more than the 1.*a higher --max-rejects/)
  expect(existsSync(join(cwd, 'few.csv.causes.ndjson'))).toBe(false)
  expect(await count('mixed')).toBe(4)
})

test('where refused records are is never said wrongly', async () => {
  writeFileSync(join(cwd, 'half.csv'), 'id\n1\nx\n')
  await database.query('CREATE TABLE half (id int)')
  const words = ['half.csv', '--table', 'half']
  const nowhere = await load([...words, '--rejects', 'no/such/directory/bad.csv'])
  expect(nowhere).toMatchObject({ code: 2 })
  expect(nowhere.stderr).toMatch(/can't be written to .*bad\.csv \(ENOENT\)/)
  expect(await count('half')).toBe(0)
  const first = await load([...words, '--rejects', 'half-bad.csv'])
  expect(first).toMatchObject({ code: 3 })
  expect(first.stderr).toContain('see half-bad.csv, and why in half-bad.csv.causes.ndjson')
  for (const other of [[], ['--rejects', 'other-bad.csv']]) {
    const again = await load([...words, ...other])
    expect(again).toMatchObject({ code: 3 })
    expect(again.stderr).toContain('that an earlier run named with --rejects')
    expect(again.stderr).not.toMatch(/undefined|see other-bad/)
  }
})

test('a file that grew after its load is refused without advice that would load rows twice', async () => {
  writeFileSync(join(cwd, 'grown.csv'), `n\n${'1234567890\n'.repeat(10)}`)
  const words = ['grown.csv', '--table', 'grown', '--create']
  expect(await load(words)).toMatchObject({ code: 0 })
  appendFileSync(join(cwd, 'grown.csv'), '1\n')
  const { code, stderr } = await load(words)
  expect(code).toBe(2)
  // Two connections store stretches of a file, so no number of rows says where the rest begins.
  expect(stderr).not.toMatch(/first \d+ rows/)
  expect(stderr).toContain('put the new records into a file of their own')
})

test('a dry run says what would happen, and does nothing', async () => {
  writeFileSync(
    join(cwd, 'kinds.csv'),
    'n,big,amount,ok,day,at,id,doc,code,none\n' +
      '1,12345678901234567890,1.5,true,2001-02-03,2001-02-03T04:05:06Z,c0ffee00-1234-4abc-8def-0123456789ab,"{""a"":1}",007,\n',
  )
  const { code, stdout } = await load(['kinds.csv', '--table', 'kinds', '--create', '--dry-run'])
  expect(code).toBe(0)
  expect(stdout).toContain(
    'CREATE TABLE IF NOT EXISTS "kinds" ("n" bigint, "big" numeric, "amount" double precision, ' +
      '"ok" boolean, "day" date, "at" timestamp with time zone, "id" uuid, "doc" jsonb, "code" text, "none" text)',
  )
  expect(stdout).toContain('about 1 row)')
  expect(stdout).toMatch(/code +string +.*"007" is nothing narrower/)
  const { rows } = await database.query(`SELECT to_regclass('kinds') AS found`)
  expect(rows).toEqual([{ found: null }])
  writeFileSync(join(cwd, 'at.ndjson'), '{"at":"2001-02-03T04:05:06Z","n":1}\n')
  await database.query('CREATE TABLE planned (n int)')
  const json = await load(['at.ndjson', '--table', 'planned', '--dry-run'])
  expect(json.code).toBe(2)
  expect(json.stdout).toMatch(/at +timestamp/)
  expect(json.stdout).toContain('The table has no column "at"')
})

test('a value that breaks the inferred type is named, with what to do', async () => {
  const numbers = Array.from({ length: 30_000 }, (_, n) => `${n},some padding\n`).join('')
  writeFileSync(join(cwd, 'late.csv'), `n,pad\n${numbers}A1,x\n`)
  const { code, stderr } = await load(['late.csv', '--table', 'late', '--create'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/late\.csv, line 30002 \(byte \d+\), column "n".*--type n=text/)
})

test('standard input is loaded as a whole or not at all, and again unless the load has a name', async () => {
  await database.query('CREATE TABLE piped (n int)')
  const words = ['-', '--format', 'csv', '--table', 'piped']
  expect(await load(words, { stdin: 'n\n1\n2\n' })).toMatchObject({ code: 0 })
  expect(await load(words, { stdin: 'n\n3\n' })).toMatchObject({ code: 0 })
  const many = Array.from({ length: 900_000 }, (_, n) => `${n}\n`).join('')
  const bad = await load(words, { stdin: `n\n${many}x\n` })
  expect(bad.stderr).toContain('line 900002')
  expect(bad.code).toBe(1)
  expect(await count('piped')).toBe(3)
  // Twice the same keys, in more than one piece.
  await database.query('CREATE TABLE piped_keys (n int PRIMARY KEY, pad text)')
  const padded = Array.from({ length: 40_000 }, (_, n) => `${n},${'x'.repeat(60)}\n`).join('')
  const keyed = ['-', '--format', 'csv', '--table', 'piped_keys', '--key', 'n']
  expect(await load(keyed, { stdin: `n,pad\n${padded}${padded}` })).toMatchObject({ code: 0 })
  expect(await count('piped_keys')).toBe(40_000)
  const named = [...words, '--name', 'of monday', '--rejects', 'piped-rejects.csv']
  expect((await load(named, { stdin: 'n\n4\nx\n' })).code).toBe(3)
  expect((await load(named, { stdin: 'n\n4\nx\n' })).stderr).toContain('already')
  expect(await count('piped')).toBe(4)
})

test('rows are copied from another database', async () => {
  await database.query(
    'CREATE TABLE origin AS SELECT n, n::text AS t FROM generate_series(1, 1000) n',
  )
  const words = [server.url, '--from-table', 'origin', '--table', 'copied', '--create']
  const first = await load(words)
  expect(first).toMatchObject({ code: 0 })
  expect(first.stderr).toContain('copied has 1000 rows of the database')
  expect((await load(words)).stderr).toContain('already')
  expect(await count('copied')).toBe(1000)
  const wrong = await load([server.url, '--query', 'SELECT nope', '--table', 'copied'])
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('column "nope" does not exist')
})
