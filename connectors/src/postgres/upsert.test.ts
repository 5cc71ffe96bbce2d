import { afterAll, beforeAll, expect, test } from 'vitest'
import fc from 'fast-check'
import { postgres } from './postgres.ts'
import { TestDatabase, batchOf, keyedBatch, testContext } from './testing/test-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

test('the last record of a key stays, in a batch and over batches', async () => {
  await database.rows('CREATE TABLE latest (id int PRIMARY KEY, v text)')
  const open = await postgres(database.url).table('latest', { key: 'id' }).open(testContext({}))
  const task = await open.claim('t')
  await task.write(
    batchOf([
      { id: 1, v: 'a' },
      { id: 2, v: 'b' },
      { id: 1, v: 'c' },
    ]),
  )
  await task.write(
    batchOf([
      { id: 2, v: 'd' },
      { id: '3', v: 'e' },
      { id: 3n, v: 'f' },
    ]),
  )
  expect(await database.rows('SELECT * FROM latest ORDER BY id')).toEqual([
    [1, 'c'],
    [2, 'd'],
    [3, 'f'],
  ])
  await open.close()
})

test('named keys give the key columns; a tombstone deletes its row', async () => {
  await database.rows(
    'CREATE TABLE hours (origin text, window_start timestamptz, n bigint, PRIMARY KEY (origin, window_start))',
  )
  const open = await postgres(database.url)
    .table('hours', { key: ['origin', 'window_start'] })
    .open(testContext({}))
  const task = await open.claim('t')
  const key = (origin: string, hour: number): Record<string, unknown> => ({
    origin,
    window_start: hour * 3_600_000,
  })
  await task.write(
    keyedBatch([
      [key('ABQ', 1), { n: 1 }],
      [key('ABQ', 2), { n: 2 }],
      [key('OAK', 1), { n: 3 }],
    ]),
  )
  await task.write(
    keyedBatch([
      [key('ABQ', 1), null],
      [key('OAK', 1), { n: 4 }],
      [key('OAK', 1), null],
      [key('JFK', 9), null],
      [key('JFK', 1), null],
      [key('JFK', 1), { n: 5 }],
    ]),
  )
  expect(
    await database.rows(
      `SELECT origin, extract(hour FROM window_start)::int, n FROM hours ORDER BY 1, 2`,
    ),
  ).toEqual([
    ['ABQ', 2, '2'],
    ['JFK', 1, '5'],
  ])
  await open.close()
})

test('columns that are not written keep what they have', async () => {
  await database.rows(
    `CREATE TABLE partly (id int PRIMARY KEY, v int, note text DEFAULT 'new'); INSERT INTO partly VALUES (1, 1, 'kept')`,
  )
  const open = await postgres(database.url)
    .table('partly', { key: 'id', columns: ['v'] })
    .open(testContext({}))
  await (
    await open.claim('t')
  ).write(
    batchOf([
      { id: 1, v: 2 },
      { id: 2, v: 3 },
    ]),
  )
  expect(await database.rows('SELECT * FROM partly ORDER BY id')).toEqual([
    [1, 2, 'kept'],
    [2, 3, 'new'],
  ])
  await open.close()
})

test('a table of keys alone', async () => {
  await database.rows('CREATE TABLE keys (id int PRIMARY KEY)')
  const open = await postgres(database.url).table('keys', { key: 'id' }).open(testContext({}))
  const task = await open.claim('t')
  await task.write(batchOf([{ id: 1 }, { id: 1 }, { id: 2 }]))
  await task.write(batchOf([{ id: 2 }, { id: 3 }]))
  expect(await database.rows('SELECT id FROM keys ORDER BY id')).toEqual([[1], [2], [3]])
  await open.close()
})

test('keys that only the server knows to be equal are told apart by order', async () => {
  await database.rows('CREATE TABLE scales (k numeric PRIMARY KEY, v int)')
  const open = await postgres(database.url).table('scales', { key: 'k' }).open(testContext({}))
  await (
    await open.claim('t')
  ).write(
    batchOf([
      { k: '1.0', v: 1 },
      { k: '1.00', v: 2 },
      { k: '2', v: 3 },
    ]),
  )
  expect(await database.rows('SELECT v FROM scales ORDER BY k')).toEqual([[2], [3]])
  await open.close()
})

test('merge joins values in the batch and with the stored row; null joins as nothing', async () => {
  await database.rows(
    `CREATE TABLE merged (id int PRIMARY KEY, hits bigint, seen timestamptz, low float8, name text, v int)`,
  )
  const open = await postgres(database.url)
    .table('merged', {
      key: 'id',
      merge: { hits: 'add', seen: 'greatest', low: 'least', name: 'keep' },
    })
    .open(testContext({}))
  const task = await open.claim('t')
  const at = (ms: number): string => new Date(ms).toISOString()
  await task.write(
    batchOf([
      { id: 1, hits: 1, seen: at(5), low: 5, name: null, v: 1 },
      { id: 1, hits: 2n, seen: 9, low: 4.5, name: 'first', v: 2 },
      { id: 1, hits: null, seen: new Date(7), low: null, name: 'second', v: 3 },
    ]),
  )
  await task.write(
    batchOf([
      { id: 1, hits: 10, seen: 8, low: 6, name: 'third', v: null },
      { id: 1, hits: 10, seen: null, low: 7, name: null, v: 4 },
      { id: 2, hits: Number.MAX_SAFE_INTEGER, seen: null, low: null, name: null, v: 0 },
      { id: 2, hits: 1, seen: null, low: null, name: null, v: 0 },
      { id: 2, hits: 1, seen: null, low: null, name: null, v: 0 },
    ]),
  )
  expect(
    await database.rows(
      `SELECT id, hits, extract(epoch FROM seen) * 1000, low, name, v FROM merged ORDER BY id`,
    ),
  ).toEqual([
    [1, '23', '9.000000', 4.5, 'first', 4],
    [2, '9007199254740993', null, null, null, 0],
  ])
  await open.close()
})

test('a merge after a delete starts anew', async () => {
  await database.rows(
    'CREATE TABLE anew (id int PRIMARY KEY, hits int); INSERT INTO anew VALUES (1, 100)',
  )
  const open = await postgres(database.url)
    .table('anew', { key: 'id', merge: { hits: 'add' } })
    .open(testContext({}))
  await (
    await open.claim('t')
  ).write(
    keyedBatch([
      [{ id: 1 }, { hits: 5 }],
      [{ id: 1 }, null],
      [{ id: 1 }, { hits: 1 }],
      [{ id: 1 }, { hits: 2 }],
    ]),
  )
  expect(await database.rows('SELECT hits FROM anew')).toEqual([[3]])
  await open.close()
})

test('a unique value that one row gives up may be taken by another in the same batch', async () => {
  await database.rows(
    `CREATE TABLE swap (id int PRIMARY KEY, email text UNIQUE); INSERT INTO swap VALUES (1, 'a'), (2, 'b'), (3, 'c')`,
  )
  const open = await postgres(database.url).table('swap', { key: 'id' }).open(testContext({}))
  await (
    await open.claim('t')
  ).write(
    keyedBatch([
      [{ id: 2 }, { email: 'y' }],
      [{ id: 1 }, { email: 'x' }],
      [{ id: 2 }, { email: 'a' }],
      [{ id: 4 }, { email: 'c' }],
      [{ id: 3 }, null],
    ]),
  )
  expect(await database.rows('SELECT * FROM swap ORDER BY id')).toEqual([
    [1, 'x'],
    [2, 'a'],
    [4, 'c'],
  ])
  await open.close()
})

test('deleting looks keys up by their index', async () => {
  await database.rows(
    'CREATE TABLE wide (id int PRIMARY KEY); INSERT INTO wide SELECT generate_series(1, 20000)',
  )
  const open = await postgres(database.url).table('wide', { key: 'id' }).open(testContext({}))
  const task = await open.claim('t')
  const before = await scansOf('wide')
  const tombstones = Array.from({ length: 15_000 }, (_, id) => [{ id }, null] as const)
  await task.write(keyedBatch(tombstones))
  expect(await database.rows('SELECT count(*)::int FROM wide')).toEqual([[5001]])
  await open.close()
  await expect
    .poll(async () => (await scansOf('wide')).index)
    .toBeGreaterThan(before.index + 10_000)
})

async function scansOf(table: string): Promise<{ index: number }> {
  const [row] = await database.rows(
    `SELECT COALESCE(idx_scan, 0)::int FROM pg_stat_user_tables WHERE relname = $1`,
    [table],
  )
  return { index: Number(row?.[0]) }
}

test('whatever the records, the table is what replaying them one by one gives', async () => {
  await database.rows('CREATE TABLE replay (id int PRIMARY KEY, hits int, v text)')
  const open = await postgres(database.url)
    .table('replay', { key: 'id', merge: { hits: 'add' } })
    .open(testContext({}))
  const record = fc.record({
    id: fc.integer({ min: 0, max: 5 }),
    value: fc.option(
      fc.record({
        hits: fc.integer({ min: -9, max: 9 }),
        v: fc.string({ unit: fc.constantFrom('a', 'b') }),
      }),
    ),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(record, { maxLength: 12 }), { maxLength: 4 }),
      async (batches) => {
        await database.rows('TRUNCATE replay')
        const model = new Map<number, { hits: number; v: string }>()
        const task = await open.claim('t')
        for (const records of batches) {
          await task.write(keyedBatch(records.map(({ id, value }) => [{ id }, value] as const)))
          for (const { id, value } of records) {
            const hits = (model.get(id)?.hits ?? 0) + (value?.hits ?? 0)
            if (value === null) model.delete(id)
            else model.set(id, { hits, v: value.v })
          }
        }
        const expected = [...model]
          .map(([id, { hits, v }]) => [id, hits, v])
          .toSorted((a, b) => Number(a[0]) - Number(b[0]))
        expect(await database.rows('SELECT id, hits, v FROM replay ORDER BY id')).toEqual(expected)
      },
    ),
    { numRuns: 40, seed: 3 },
  )
  await open.close()
})
