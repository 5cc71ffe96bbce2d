import net from 'node:net'
import { UnavailableError, UsageError } from '@millrace/core'
import type { Column } from '@millrace/processors'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgres } from './postgres.ts'
import type { PostgresTableOptions } from './postgres.ts'
import { TestDatabase, batchOf, keyedBatch, testContext } from './testing/test-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
  await database.rows(
    `CREATE TABLE flights (id int PRIMARY KEY, origin text NOT NULL, made text GENERATED ALWAYS AS (origin || '!') STORED)`,
  )
  await database.rows('CREATE VIEW flights_view AS SELECT * FROM flights')
})
afterAll(() => database.stop())

async function opening(
  table: string,
  options: PostgresTableOptions<string> = {},
  columns: readonly Column[] = [],
  url = database.url,
): Promise<unknown> {
  const context = testContext({ columns })
  try {
    const open = await postgres(url).table(table, options).open(context)
    await open.close()
    return 'opened'
  } catch (error) {
    const text = `${String(error)} ${JSON.stringify(error)} ${context.notices.join()}`
    expect(text).not.toContain(new URL(database.url).password)
    return error
  }
}

const column = (name: string, type: Column['type'] = 'string'): Column => ({
  name,
  type,
  nullable: true,
})

describe('what configuration must mend is said at once', () => {
  test.each<[string, string, PostgresTableOptions<string>, readonly Column[], RegExp]>([
    [
      'a missing table',
      'flihgts',
      {},
      [],
      /no table "flihgts".*Did you mean "flights"\?.*create: true/,
    ],
    ['a view', 'flights_view', {}, [], /"flights_view" is not a table/],
    [
      'a missing column',
      'flights',
      { columns: ['id', 'orgin'] },
      [],
      /no column "orgin".*Did you mean "origin"/,
    ],
    [
      'a column of the schema',
      'flights',
      {},
      [column('id'), column('carrier')],
      /no column "carrier"/,
    ],
    ['a key column', 'flights', { key: 'code' }, [], /no column "code"/],
    [
      'no unique index',
      'flights',
      { key: 'origin' },
      [],
      /no unique index on \(origin\).*CREATE UNIQUE INDEX/,
    ],
    [
      'a generated column',
      'flights',
      { columns: ['id', 'origin', 'made'] },
      [],
      /"made".*generated/,
    ],
    [
      'a column nobody fills',
      'flights',
      { columns: ['id'] },
      [],
      /"origin".*NOT NULL and has no default/,
    ],
    ['a merged column', 'flights', { key: 'id', merge: { hits: 'add' } }, [], /no column "hits"/],
  ])('%s', async (_name, table, options, columns, words) => {
    const error = await opening(table, options, columns)
    const seen = error === 'opened' ? await writing(table, options) : error
    expect(seen).toBeInstanceOf(UsageError)
    expect(String(seen)).toMatch(words)
  })

  async function writing(table: string, options: PostgresTableOptions<string>): Promise<unknown> {
    const open = await postgres(database.url).table(table, options).open(testContext({}))
    const task = await open.claim('t')
    const outcome = await task
      .write(batchOf([{ id: 1, origin: 'x' }]))
      .catch((error: unknown) => error)
    await open.close()
    return outcome
  }

  test('a wrong password, which is not shown', async () => {
    const url = new URL(database.url)
    url.password = 'sesame-street'
    const error = await opening('flights', {}, [], url.href)
    expect(error).toBeInstanceOf(UsageError)
    expect(String(error)).toMatch(/refused the login postgres@127.0.0.1:\d+\/postgres/)
    expect(String(error)).not.toContain('sesame')
  })

  test('a password that is missing, and nothing is tried twice', async () => {
    const url = new URL(database.url)
    url.password = ''
    const context = testContext({})
    const error = await postgres(url.href)
      .table('flights')
      .open(context)
      .catch((refused: unknown) => refused)
    expect(error).toMatchObject({ code: 'DATABASE_REFUSED' })
    expect(String(error)).toMatch(/wants a password/)
    expect(context.notices).toEqual([])
  })

  test('a database that does not exist', async () => {
    const url = new URL(database.url)
    url.pathname = '/nowhere'
    const error = await opening('flights', {}, [], url.href)
    expect(error).toBeInstanceOf(UsageError)
    expect(String(error)).toMatch(
      /no such database: postgres@127.0.0.1:\d+\/nowhere.*CREATE DATABASE/,
    )
  })

  test.each([['mysql://u:geheim@h/d'], ['geheim'], ['postgres://u:geheim@h:port/d']])(
    'a URL that is none: %s',
    async (url) => {
      const error = await opening('flights', {}, [], url)
      expect(error).toBeInstanceOf(UsageError)
      expect(String(error)).toContain("can't be read")
      expect(String(error)).not.toContain('geheim')
    },
  )

  test('a name that PostgreSQL would cut off', () => {
    expect(() => postgres.table('x'.repeat(64))).toThrow(/longer than 63 bytes/)
    expect(() => postgres.table('t', { columns: ['a\0'] })).toThrow(/NUL/)
  })

  test('options that contradict each other', () => {
    expect(() => postgres.table('t', { mode: 'upsert' })).toThrow(/needs a key/)
    expect(() => postgres.table('t', { merge: { a: 'add' } })).toThrow(
      /"merge" needs mode "upsert"/,
    )
    expect(() => postgres.table('t', { key: 'a', merge: { a: 'add' } })).toThrow(/can't be merged/)
    expect(() => postgres.table('t', { connections: 0 })).toThrow(/connections/)
  })
})

test('a server that nobody runs is tried a few times', async () => {
  const closed = net.createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const address = closed.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await new Promise((resolve) => closed.close(resolve))
  const error = await opening('flights', {}, [], `postgres://u:geheim@127.0.0.1:${port}/d`)
  expect(error).toBeInstanceOf(UnavailableError)
  expect(String(error)).toMatch(/Can't connect to PostgreSQL at u@127.0.0.1:\d+\/d .*ECONNREFUSED/)
})

test('without a URL the environment says where', async () => {
  const before = process.env['DATABASE_URL']
  try {
    delete process.env['DATABASE_URL']
    const sink = postgres.table('flights')
    await expect(sink.open(testContext({}))).rejects.toThrow(/Set DATABASE_URL/)
    process.env['DATABASE_URL'] = database.url
    await (await sink.open(testContext({}))).close()
  } finally {
    if (before === undefined) delete process.env['DATABASE_URL']
    else process.env['DATABASE_URL'] = before
  }
})

test('create makes the table from the schema, and finds it the next time', async () => {
  const columns: Column[] = [
    { name: 'origin', type: 'string', nullable: false },
    { name: 'at', type: 'timestamp', nullable: true },
    { name: 'delays', type: 'int64', nullable: true, array: true },
    { name: 'mean', type: 'float64', nullable: true },
  ]
  const sink = postgres(database.url).table('made', { key: ['origin', 'at'], create: true })
  for (const mean of [1.5, 2.5]) {
    const open = await sink.open(testContext({ columns }))
    const task = await open.claim('t')
    await task.write(batchOf([{ origin: 'ABQ', at: 0, delays: [1, 2n], mean }]))
    await open.close()
  }
  expect(
    await database.rows(
      `SELECT attname::text, format_type(atttypid, -1), attnotnull FROM pg_attribute
       WHERE attrelid = 'made'::regclass AND attnum > 0 ORDER BY attnum`,
    ),
  ).toEqual([
    ['origin', 'text', true],
    ['at', 'timestamp with time zone', true],
    ['delays', 'bigint[]', false],
    ['mean', 'double precision', false],
  ])
  expect(await database.rows('SELECT mean FROM made')).toEqual([[2.5]])
})

test('without a schema the first rows say what the table looks like', async () => {
  const open = await postgres(database.url)
    .table('found', { key: ['origin'], create: true })
    .open(testContext({}))
  const task = await open.claim('t')
  await task.write(
    keyedBatch([
      [{ origin: 'ABQ' }, { n: 1n, mean: 1.5, at: new Date(0), tags: ['a'], nothing: null }],
      [{ origin: 'OAK' }, { n: 2n, mean: null, at: null, ok: true }],
    ]),
  )
  expect(await database.rows('SELECT * FROM found ORDER BY origin')).toEqual([
    ['ABQ', '1', 1.5, new Date(0), ['a'], null, null],
    ['OAK', '2', null, null, null, null, true],
  ])
  await open.close()
})

test('a key column of which no schema knows the type gets the type of its values', async () => {
  const columns: Column[] = [
    { name: 'city', type: 'json', nullable: false, isUntyped: true },
    { name: 'absent', type: 'json', nullable: true, isUntyped: true },
    { name: 'orders', type: 'int64', nullable: false },
  ]
  const open = await postgres(database.url)
    .table('guessed', { key: 'city', create: true })
    .open(testContext({ columns }))
  const task = await open.claim('t')
  await task.write(keyedBatch([[{ city: 'Oslo' }, { orders: 3 }]]))
  expect(
    await database.rows(
      `SELECT attname::text, format_type(atttypid, -1) FROM pg_attribute
       WHERE attrelid = 'guessed'::regclass AND attnum > 0 ORDER BY attname`,
    ),
  ).toEqual([
    ['absent', 'jsonb'],
    ['city', 'text'],
    ['orders', 'bigint'],
  ])
  expect(await database.rows(`SELECT orders FROM guessed WHERE city = 'Oslo'`)).toEqual([['3']])
  await open.close()
})

test('a key that the first rows do not have is named, with what they have', async () => {
  const open = await postgres(database.url)
    .table('keyless', { key: 'town', create: true })
    .open(testContext({}))
  const task = await open.claim('t')
  await expect(task.write(batchOf([{ towns: 'Oslo', n: 1 }]))).rejects.toThrow(
    /key "town".*Did you mean "towns"\? They have: towns, n\./,
  )
  await open.close()
})

test('a property without a column is never dropped in silence, whenever it comes', async () => {
  await database.rows('CREATE TABLE narrow (id int)')
  const open = await postgres(database.url).table('narrow').open(testContext({}))
  const task = await open.claim('t')
  await task.write(batchOf([{ id: 1 }]))
  const rows = [{ id: 2 }, { id: 3, extra: 5 }, { id: 4 }]
  await expect(task.write(batchOf(rows))).rejects.toThrow(/no column "extra"/)
  expect(await database.rows('SELECT * FROM narrow')).toEqual([[1]])
  await open.close()
})

test('columns with a default are left to the server until a row has them', async () => {
  await database.rows(`CREATE TABLE defaults (id serial, note text DEFAULT 'none', v int)`)
  const open = await postgres(database.url).table('defaults').open(testContext({}))
  const task = await open.claim('t')
  await task.write(batchOf([{ v: 1 }, {}]))
  await task.write(batchOf([{ v: 2, note: 'some' }]))
  expect(await database.rows('SELECT * FROM defaults ORDER BY id')).toEqual([
    [1, 'none', 1],
    [2, 'none', null],
    [3, 'some', 2],
  ])
  await open.close()
})

test('a table in another schema has its fence there', async () => {
  await database.rows('CREATE SCHEMA "my data"; CREATE TABLE "my data".t (id int)')
  const open = await postgres(database.url).table('my data.t').open(testContext({}))
  await (await open.claim('t')).write(batchOf([{ id: 1 }], { offset: 1 }))
  expect(await database.rows(`SELECT position FROM "my data".millrace_fence`)).toEqual([
    [{ offset: 1 }],
  ])
  await open.close()
})
