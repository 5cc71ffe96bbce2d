import { type PostgresServer, startPostgres } from '@millrace/connectors/testing'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { CommandOptions, Finished } from '../cli/run-command.ts'
import { pipelineScript, Workplace } from './workplace.ts'

const serverPlace = new Workplace()
let server: PostgresServer
let database: Client
let place: Workplace
let tests = 0
/** Of this test alone, so that no position of another log is in its way. */
let table = ''

beforeAll(async () => {
  server = await startPostgres({ directory: serverPlace.path('postgres') })
  database = new Client({ connectionString: server.url })
  await database.connect()
})
afterAll(async () => {
  await database.end()
  await server.stop()
  serverPlace.remove()
})
beforeEach(() => {
  place = new Workplace()
  table = `t${(tests += 1)}`
})
afterEach(() => place.remove())

const password = (url: string) => decodeURIComponent(new URL(url).password)

/** Runs a command with a database; nothing that it says may hold the password. */
async function withDatabase(
  words: string[],
  url = server.url,
  options: CommandOptions = {},
): Promise<Finished> {
  const ended = await place.millrace(words, { ...options, env: { DATABASE_URL: url } })
  const secret = /^\w+:\/\/[^:]*:[^@]+@/.test(url)
    ? url.replace(/^\w+:\/\/[^:]*:|@[^@]*$/g, '')
    : '-'
  for (const each of [secret, password(server.url)]) {
    if (each.length > 3) expect(ended.stdout + ended.stderr).not.toContain(each)
  }
  return ended
}

const job = (words: string[] = []) => withDatabase(['run', 'job.ts', '--quiet', ...words])

async function rows(): Promise<unknown[]> {
  const found = await database.query<{ row: unknown }>(
    `SELECT to_jsonb(t) AS row FROM ${table} t ORDER BY n`,
  )
  return found.rows.map(({ row }) => row)
}

function writeJob(lines: string[], options = ''): void {
  place.write('rows.ndjson', lines.map((line) => `${line}\n`).join(''))
  const sink = `postgres.table('${table}'${options})`
  place.write('job.ts', pipelineScript({ source: "ndjson<any>('rows.ndjson')", sink, name: table }))
}

test.each([
  ['a text in an integer', 'int', '"two"', /column "v" \(integer\).*"two" is not a whole number/],
  ['NUL in text', 'text', '"a\\u0000b"', /column "v" \(text\).*contains NUL/],
  ['no date', 'timestamptz', '"2001-13-45"', /column "v" \(timestamp with time zone\).*not a time/],
  [
    'an integer past int64',
    'bigint',
    '"9223372036854775808"',
    /column "v" \(bigint\).*9223372036854775808"? does not fit 64 bits/,
  ],
  [
    'an integer past int32',
    'int',
    '2147483648',
    /column "v" \(integer\).*2147483648 is not within/,
  ],
])(
  '%s is refused by table, column and record; dead letters let the others pass',
  async (_, type, value, words) => {
    await database.query(`CREATE TABLE ${table} (n int, v ${type})`)
    writeJob(['{"n":1,"v":null}', `{"n":2,"v":${value}}`, '{"n":3,"v":null}'])
    const { code, stderr } = await job()
    expect(stderr).toContain(`postgres ${table}: the record rows[0]@1 cannot be stored`)
    expect(stderr).toMatch(words)
    expect(stderr).toContain('--on-error')
    expect(stderr).toContain('[ROW_REFUSED]')
    expect(code).toBe(1)
    expect(await rows()).toEqual([])
    expect((await job(['--on-error', 'dead-letter'])).code).toBe(3)
    expect(await rows()).toEqual([
      { n: 1, v: null },
      { n: 3, v: null },
    ])
    expect(await place.values(`${table}-dead-letters`)).toEqual([
      { n: 2, v: JSON.parse(value) as unknown },
    ])
  },
)

test('a column that the table lacks is named with the nearest; added, all rows arrive', async () => {
  await database.query(`CREATE TABLE ${table} (n int, name text)`)
  writeJob(['{"n":1,"naem":"a"}', '{"n":2,"naem":"b"}'])
  const { code, stderr } = await job()
  expect(stderr).toContain(`The table "${table}" has no column "naem". Did you mean "name"?`)
  expect(stderr).toContain('Add it to the table')
  expect(code).toBe(2)
  expect(await rows()).toEqual([])
  await database.query(`ALTER TABLE ${table} RENAME COLUMN name TO naem`)
  expect((await job()).code).toBe(0)
  expect(await rows()).toEqual([
    { n: 1, naem: 'a' },
    { n: 2, naem: 'b' },
  ])
})

test('a record without the property that is the key is refused, and named', async () => {
  await database.query(`CREATE TABLE ${table} (n int PRIMARY KEY, s text)`)
  writeJob(['{"n":1,"s":"a"}', '{"s":"b"}'], ", { key: 'n' }")
  const { code, stderr } = await job()
  expect(stderr).toContain('the record rows[0]@1')
  expect(stderr).toContain('no value for the key column "n"')
  expect(code).toBe(1)
  expect((await job(['--on-error', 'dead-letter'])).code).toBe(3)
  expect(await rows()).toEqual([{ n: 1, s: 'a' }])
  expect(await place.values(`${table}-dead-letters`)).toEqual([{ s: 'b' }])
})

test('a table that is missing is told with the nearest; made, all rows arrive', async () => {
  await database.query(`CREATE TABLE ${table}_orders (n int)`)
  writeJob(['{"n":1}'])
  place.write('rows.csv', 'n\n1\n')
  table = `${table}_order`
  writeJob(['{"n":1}'])
  const load = ['load', 'rows.csv', '--table', table, '--quiet']
  for (const words of [['run', 'job.ts', '--quiet'], load]) {
    const { code, stderr } = await withDatabase(words)
    expect(stderr).toContain(`There is no table "${table}" in `)
    expect(stderr).toContain(`Did you mean "${table}s"?`)
    expect(stderr).toContain('--create')
    expect(code).toBe(2)
  }
  await database.query(`CREATE TABLE ${table} (n int)`)
  expect((await job()).code).toBe(0)
  expect((await withDatabase(load)).code).toBe(0)
  expect(await rows()).toEqual([{ n: 1 }, { n: 1 }])
})

test.each([
  [
    'a wrong password',
    (url: URL) => (url.password = 'not-the-secret'),
    2,
    /refused the login .*Check user and password in DATABASE_URL/,
  ],
  [
    'no such database',
    (url: URL) => (url.pathname = '/nowhere'),
    2,
    /There is no such database: .*\/nowhere\. Create it/,
  ],
  [
    'no server',
    (url: URL) => (url.port = '1'),
    4,
    /Can't connect to PostgreSQL at .*:1\/.*Is the server running/,
  ],
])(
  '%s ends with its code, without the password; put right, all rows arrive',
  async (_, spoil, exit, words) => {
    await database.query(`CREATE TABLE ${table} (n int)`)
    writeJob(['{"n":1}'])
    place.write('rows.csv', 'n\n2\n')
    const url = new URL(server.url)
    spoil(url)
    const load = ['load', 'rows.csv', '--table', table, '--quiet']
    const wrong = await Promise.all([
      withDatabase(['run', 'job.ts', '--quiet'], url.href),
      withDatabase(load, url.href),
    ])
    for (const { code, stderr } of wrong) {
      expect(stderr).toMatch(words)
      expect(code).toBe(exit)
    }
    expect((await job()).code).toBe(0)
    expect((await withDatabase(load)).code).toBe(0)
    expect(await rows()).toEqual([{ n: 1 }, { n: 2 }])
  },
)

test.each([
  ['missing', '', /DATABASE_URL/],
  [
    'of a password with a slash',
    'postgres://ada:s3c/ret99@host:5432/mill',
    /DATABASE_URL can't be read.*%-encoded/,
  ],
  ['without a scheme', 'ada:s3cret99@host/mill', /postgres:\/\/user@host:5432\/database/],
  [
    'of another database',
    'mysql://ada:s3cret99@host/mill',
    /postgres:\/\/user@host:5432\/database/,
  ],
])('a DATABASE_URL %s is refused with its form, and not shown', async (_, url, words) => {
  writeJob(['{"n":1}'])
  place.write('rows.csv', 'n\n2\n')
  for (const command of [
    ['run', 'job.ts', '--quiet'],
    ['load', 'rows.csv', '--table', table],
  ]) {
    const { code, stderr } = await withDatabase(command, url)
    expect(stderr).toMatch(words)
    expect(stderr).not.toMatch(/s3cret99|ret99/)
    expect(code).toBe(2)
  }
})

test.each([
  ['a missing field', 'n,v\n1,2\n3\n', /rows\.csv, line 3 \(byte 8\): 1 field/],
  [
    'a wrong type',
    'n,v\n1,2\n3,four\n',
    /rows\.csv, line 3 \(byte 8\).*column "v".*integer: "four"/,
  ],
  [
    'an integer past int64',
    'n,v\n1,2\n3,9223372036854775808\n',
    /line 3 \(byte 8\).*column "v".*out of range/,
  ],
  ['a NUL byte', 'n,v\n1,2\n3,\0\n', /line 3 \(byte (8|10)\).*(0x00|NUL)/],
])(
  'load names %s by line and byte, stores nothing, and loads the mended file',
  async (_, csv, words) => {
    await database.query(`CREATE TABLE ${table} (n int, v int)`)
    place.write('rows.csv', csv)
    const load = ['load', 'rows.csv', '--table', table, '--quiet']
    const { code, stderr } = await withDatabase(load)
    expect(stderr).toMatch(words)
    expect(stderr).toMatch(/Nothing (of the file )?was stored\./)
    expect(code).toBe(1)
    expect(await rows()).toEqual([])
    place.write('rows.csv', 'n,v\n1,2\n3,4\n')
    expect((await withDatabase(load)).code).toBe(0)
    expect(await rows()).toEqual([
      { n: 1, v: 2 },
      { n: 3, v: 4 },
    ])
  },
)

test('load of NDJSON names row, table and column, and refuses a file that changed since', async () => {
  await database.query(`CREATE TABLE ${table} (n int)`)
  place.write('rows.ndjson', '{"n":1}\n{"n":"two"}\n')
  const load = ['load', 'rows.ndjson', '--table', table, '--quiet']
  const { code, stderr } = await withDatabase(load)
  expect(stderr).toContain(
    `rows.ndjson, line 2 (byte 8): column "n" (integer) can't hold the value`,
  )
  expect(code).toBe(1)
  place.write('rows.ndjson', '{"n":1}\n{"n":2}\n')
  expect((await withDatabase(load)).code).toBe(0)
  place.write('rows.ndjson', '{"n":1}\n{"n":2}\n{"n":3}\n')
  const changed = await withDatabase(load)
  expect(changed.stderr).toContain('rows.ndjson has changed since')
  expect(changed.stderr).toContain('put the new records into a file of their own')
  expect(changed.code).toBe(2)
  place.write('rest.ndjson', '{"n":3}\n')
  expect((await withDatabase(['load', 'rest.ndjson', '--table', table, '--quiet'])).code).toBe(0)
  expect(await rows()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
})
