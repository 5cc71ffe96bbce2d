import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres } from './postgres.ts'
import { TestDatabase, batchOf, testContext } from './testing/test-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

const cycle: Record<string, unknown> = {}
cycle['self'] = cycle

/** Type, value, SQLSTATE, and words that the cause must have. */
const unfit: readonly (readonly [string, unknown, string, RegExp])[] = [
  ['smallint', 32768, '22003', /not within -32768 and 32767/],
  ['integer', 1.5, '22P02', /not a whole number/],
  ['integer', 'abc', '22P02', /"abc" is not a whole number/],
  ['integer', true, '22P02', /true is not a whole number/],
  ['bigint', 2n ** 63n, '22003', /9223372036854775808 does not fit 64 bits/],
  ['bigint', 2 ** 63, '22003', /does not fit 64 bits/],
  ['bigint', 2 ** 60, '22003', /1152921504606847000 is 1152921504606846976 exactly/],
  ['bigint', '-9223372036854775809', '22003', /does not fit 64 bits/],
  ['bigint', Number.NaN, '22P02', /NaN is not a whole number/],
  ['real', 1e39, '22003', /too large for real/],
  ['double precision', '', '22P02', /"" is not a number/],
  ['numeric', '1,5', '22P02', /"1,5" is not a decimal number/],
  ['numeric', '.', '22P02', /not a decimal number/],
  ['numeric', '1e200000', '22003', /more digits than numeric can hold/],
  ['numeric(5,2)', 12345, '22003', /overflow/],
  ['text', 'a\0b', '22021', /contains NUL/],
  ['text', `${'x'.repeat(100)}\0`, '22021', /contains NUL/],
  ['text', 'a\ud800b', '22021', /half of a surrogate pair/],
  ['text', { a: 1 }, '22P02', /an object is not text/],
  ['varchar(3)', 'abcd', '22001', /too long/],
  ['boolean', 'maybe', '22P02', /neither true nor false/],
  ['boolean', 1, '22P02', /neither true nor false/],
  ['timestamp without time zone', new Date(Number.NaN), '22007', /an invalid Date is not a time/],
  ['timestamp without time zone', Number.NaN, '22007', /NaN is not a time/],
  ['timestamp without time zone', '2001-02-29', '22008', /not a time that PostgreSQL knows/],
  [
    'timestamp without time zone',
    '2001-13-01T00:00:00Z',
    '22008',
    /not a time that PostgreSQL knows/,
  ],
  ['timestamp without time zone', 'yesterday', '22007', /not a time as in/],
  ['timestamp without time zone', new Date(-8.64e15), '22008', /not a time that PostgreSQL knows/],
  ['date', {}, '22007', /an object is not a date/],
  ['uuid', '6f9619ff', '22P02', /not a UUID/],
  ['uuid', 'zf9619ff-8b86-d011-b42d-00cf4fc964ff', '22P02', /not a UUID/],
  ['bytea', 'zz', '22P02', /neither bytes nor text/],
  ['jsonb', { a: 'x\0' }, '22P05', /contains NUL/],
  ['jsonb', ['\ud800'], '22P05', /half of a surrogate pair/],
  ['jsonb', cycle, '22P02', /not JSON .*circular/],
  ['jsonb', () => 1, '22P02', /not JSON/],
  ['integer[]', [1, 'x'], '22P02', /"x" is not a whole number/],
  ['integer[]', [[1, 2], [3]], '2202E', /rows of different lengths/],
  ['integer[]', 5, '22P02', /not an array/],
]

let tables = 0

test.each(unfit)('%s refuses %o', async (type, value, code, words) => {
  const table = `t${(tables += 1)}`
  await database.rows(`CREATE TABLE ${table} (n int, v ${type})`)
  const context = testContext({ hasDeadLetters: true })
  const open = await postgres(database.url).table(table).open(context)
  const task = await open.claim('t')
  await task.write(batchOf([{ n: 0 }, { n: 1, v: value }, { n: 2 }]))
  expect(context.letters).toMatchObject([
    { index: 1, code, cause: expect.stringMatching(words) as unknown },
  ])
  if (!/overflow|too long/.test(words.source)) {
    expect(context.letters[0]?.cause).toContain(`column "v" (${type})`)
  }
  expect(await database.rows(`SELECT n FROM ${table} ORDER BY n`)).toEqual([[0], [2]])
  await open.close()
})
