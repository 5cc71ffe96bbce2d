import { RejectedError } from '@millrace/core'
import type { SinkBatch } from '@millrace/processors'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgres } from './postgres.ts'
import type { PostgresTableOptions } from './postgres.ts'
import { TestDatabase, batchOf, testContext } from './testing/test-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

let tables = 0

interface Outcome {
  readonly letters: readonly (readonly [number, string])[]
  readonly causes: readonly string[]
  readonly rows: readonly unknown[]
}

/** Writes a batch into a table of this shape, with a dead-letter route. */
async function write(
  ddl: (table: string) => string,
  options: PostgresTableOptions<string>,
  batch: SinkBatch,
  column = 'id',
): Promise<Outcome> {
  const table = `d${(tables += 1)}`
  await database.rows(ddl(table))
  const context = testContext({ hasDeadLetters: true })
  const open = await postgres(database.url).table(table, options).open(context)
  const task = await open.claim('t')
  await task.write(batch)
  await open.close()
  return {
    letters: context.letters.map(({ index, code }) => [index, code] as const),
    causes: context.letters.map(({ cause }) => cause),
    rows: (await database.rows(`SELECT ${column} FROM ${table} ORDER BY ${column}`)).flat(),
  }
}

const five = [1, 2, 3, 4, 5]

describe.each(['append', 'upsert'] as const)('in %s mode', (mode) => {
  const options = mode === 'append' ? { mode } : { mode, key: 'id' }

  test('a missing value in a NOT NULL column', async () => {
    const outcome = await write(
      (t) => `CREATE TABLE ${t} (id int PRIMARY KEY, v int NOT NULL)`,
      options,
      batchOf(
        five.map((id) => ({ id, v: id === 3 ? null : id })),
        { at: 5 },
      ),
    )
    expect(outcome.letters).toEqual([[2, '23502']])
    expect(outcome.causes[0]).toContain('"v"')
    expect(outcome.rows).toEqual([1, 2, 4, 5])
  })

  test('a failing CHECK, twice', async () => {
    const outcome = await write(
      (t) => `CREATE TABLE ${t} (id int PRIMARY KEY, v int CHECK (v < 100))`,
      options,
      batchOf(five.map((id) => ({ id, v: id % 2 === 0 ? 100 : 1 }))),
    )
    expect(outcome.letters).toEqual([
      [1, '23514'],
      [3, '23514'],
    ])
    expect(outcome.rows).toEqual([1, 3, 5])
  })

  test('a foreign key without its row', async () => {
    const outcome = await write(
      (t) =>
        `CREATE TABLE ${t}_parent (id int PRIMARY KEY); INSERT INTO ${t}_parent VALUES (1), (2);
         CREATE TABLE ${t} (id int PRIMARY KEY, parent int REFERENCES ${t}_parent)`,
      options,
      batchOf(five.map((id) => ({ id, parent: id === 4 ? 9 : 1 }))),
    )
    expect(outcome.letters).toEqual([[3, '23503']])
    expect(outcome.rows).toEqual([1, 2, 3, 5])
  })

  test('a deferred foreign key without its row', async () => {
    const outcome = await write(
      (t) =>
        `CREATE TABLE ${t}_parent (id int PRIMARY KEY); INSERT INTO ${t}_parent VALUES (1);
         CREATE TABLE ${t} (id int PRIMARY KEY,
           parent int REFERENCES ${t}_parent DEFERRABLE INITIALLY DEFERRED)`,
      options,
      batchOf(five.map((id) => ({ id, parent: id < 3 ? 9 : 1 }))),
    )
    expect(outcome.letters).toEqual([
      [0, '23503'],
      [1, '23503'],
    ])
    expect(outcome.rows).toEqual([3, 4, 5])
  })

  test('a reference to a row that comes later in the batch is none, even beside a bad one', async () => {
    const outcome = await write(
      (t) => `CREATE TABLE ${t} (id int PRIMARY KEY, parent int REFERENCES ${t})`,
      options,
      batchOf(five.map((id) => ({ id, parent: id === 1 ? 5 : id === 4 ? 99 : null }))),
    )
    expect(outcome.letters).toEqual([[3, '23503']])
    expect(outcome.rows).toEqual([1, 2, 3, 5])
  })

  test('a second unique key that another row has', async () => {
    const outcome = await write(
      (t) => `CREATE TABLE ${t} (id int PRIMARY KEY, email text UNIQUE)`,
      options,
      batchOf(five.map((id) => ({ id, email: id === 5 ? 'a1' : `a${id}` }))),
    )
    expect(outcome.letters).toEqual([[4, '23505']])
    expect(outcome.rows).toEqual([1, 2, 3, 4])
  })

  test.each(['BEFORE', 'AFTER'])('a trigger that raises %s insert', async (when) => {
    const outcome = await write(
      (t) =>
        `CREATE TABLE ${t} (id int PRIMARY KEY);
         CREATE FUNCTION ${t}_f() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN IF new.id = 2 THEN RAISE 'two is not welcome'; END IF; RETURN new; END$$;
         CREATE TRIGGER g ${when} INSERT ON ${t} FOR EACH ROW EXECUTE FUNCTION ${t}_f()`,
      options,
      batchOf(five.map((id) => ({ id }))),
    )
    expect(outcome.letters).toEqual([[1, 'P0001']])
    expect(outcome.causes[0]).toContain('two is not welcome')
    expect(outcome.rows).toEqual([1, 3, 4, 5])
  })

  test('a value too large for an index', async () => {
    const big = Array.from({ length: 4_000 }, () => Math.random().toString(36)).join('')
    const outcome = await write(
      (t) => `CREATE TABLE ${t} (id int PRIMARY KEY, v text); CREATE INDEX ON ${t} (v)`,
      options,
      batchOf(five.map((id) => ({ id, v: id === 2 ? big : 'small' }))),
    )
    expect(outcome.letters).toEqual([[1, '54000']])
    expect(outcome.rows).toEqual([1, 3, 4, 5])
  })

  test('every row of a batch, of every kind', async () => {
    const outcome = await write(
      (t) => `CREATE TABLE ${t} (id int PRIMARY KEY, v int CHECK (v < 100))`,
      options,
      batchOf([
        { id: 1, v: 'x' },
        { id: 2, v: 200 },
        { id: null, v: 1 },
        { id: 2 ** 40, v: 1 },
      ]),
    )
    const missing = mode === 'append' ? '23502' : 'KEY_MISSING'
    expect(outcome.letters).toEqual([
      [0, '22P02'],
      [1, '23514'],
      [2, missing],
      [3, '22003'],
    ])
    expect(outcome.rows).toEqual([])
  })

  test('thousands of bad rows among many good ones cost about what the good ones cost', async () => {
    const count = 10_000
    const isBad = (id: number): boolean => id % 20 === 7
    const rows = Array.from({ length: count }, (_, id) => ({ id, v: isBad(id) ? 100 : 1 }))
    const outcome = await write(
      (t) => `CREATE TABLE ${t} (id int PRIMARY KEY, v int CHECK (v < 100))`,
      options,
      batchOf(rows),
      'count(*)::int',
    )
    expect(outcome.letters).toEqual(
      rows.filter(({ id }) => isBad(id)).map(({ id }) => [id, '23514']),
    )
    expect(outcome.rows).toEqual([count - count / 20])
  })
})

test('a refused row that had replaced an earlier one gives it its place back', async () => {
  const outcome = await write(
    (t) => `CREATE TABLE ${t} (id int PRIMARY KEY, v int CHECK (v < 100))`,
    { key: 'id' },
    batchOf([
      { id: 1, v: 10 },
      { id: 2, v: 20 },
      { id: 1, v: 11 },
      { id: 1, v: 100 },
      { id: 1, v: 'x' },
      { id: 2, v: 21 },
    ]),
    'id * 1000 + v',
  )
  expect(outcome.letters).toEqual([
    [3, '23514'],
    [4, '22P02'],
  ])
  expect(outcome.rows).toEqual([1011, 2021])
})

test('a row that can not be deleted', async () => {
  const outcome = await write(
    (t) =>
      `CREATE TABLE ${t} (id int PRIMARY KEY); INSERT INTO ${t} VALUES (1), (2), (3);
       CREATE TABLE ${t}_child (parent int REFERENCES ${t}); INSERT INTO ${t}_child VALUES (2)`,
    { key: 'id' },
    { size: 3, keys: [{ id: 1 }, { id: 2 }, { id: 3 }], values: [null, null, null], position: 1 },
  )
  expect(outcome.letters).toEqual([[1, '23503']])
  expect(outcome.rows).toEqual([2])
})

test('a tombstone has nothing to delete in append mode', async () => {
  const outcome = await write(
    (t) => `CREATE TABLE ${t} (id int)`,
    {},
    { size: 2, keys: [{ id: 1 }, { id: 2 }], values: [null, {}], position: 1 },
  )
  expect(outcome.letters).toEqual([[0, 'TOMBSTONE']])
  expect(outcome.rows).toEqual([2])
})

test('letters are durable before the rows are; when they are not, nothing is', async () => {
  await database.rows('CREATE TABLE careful (id int CHECK (id < 100))')
  const context = {
    ...testContext({}),
    deadLetter: () => Promise.reject(new Error('the log is full')),
  }
  const open = await postgres(database.url).table('careful').open(context)
  const task = await open.claim('t')
  await expect(task.write(batchOf([{ id: 1 }, { id: 100 }]))).rejects.toThrow('the log is full')
  expect(await database.rows('SELECT * FROM careful')).toEqual([])
  await open.close()
})

test.each([
  [
    'by line',
    'v int CHECK (v < 100)',
    { id: 7, v: 100 },
    /Row 1 .*"named.".*check constraint.*23514/,
  ],
  ['by halves', 'v int REFERENCES other', { id: 7, v: 5 }, /Row 1 .*"named.".*"other".*23503/],
  ['by the encoder', 'v int', { id: 7, v: 'x' }, /Row 1 .*"named.".*column "v" \(integer\).*"x"/],
])('without a route the error names the row found %s', async (_how, column, bad, words) => {
  const table = `named${(tables += 1) % 10}`
  await database.rows(
    `CREATE TABLE IF NOT EXISTS other (id int PRIMARY KEY); DROP TABLE IF EXISTS ${table};
     CREATE TABLE ${table} (id int, ${column})`,
  )
  const open = await postgres(database.url).table(table).open(testContext({}))
  const task = await open.claim('t')
  const written = task.write(batchOf([{ id: 1 }, bad, { id: 3 }], { offset: 9 }))
  await expect(written).rejects.toThrow(RejectedError)
  await expect(written).rejects.toThrow(words)
  await expect(written).rejects.toMatchObject({
    facts: { table, index: 1, position: { offset: 9 } },
  })
  await expect(task.write(batchOf([{ id: 4 }]))).rejects.toThrow(RejectedError)
  expect(await database.rows(`SELECT * FROM ${table}`)).toEqual([])
  await open.close()
})
