import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres } from './postgres.ts'
import { TestDatabase, keyedBatch, testContext } from './testing/test-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
  await database.rows(
    `CREATE EXTENSION citext;
     CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
  )
})
afterAll(() => database.stop())

type Pair = readonly [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>> | null]

let tables = 0

/** The table's values of `n`, after one batch and after the same records one by one. */
async function both(type: string, pairs: readonly Pair[]): Promise<[unknown[], unknown[]]> {
  const results: unknown[][] = []
  for (const batches of [[pairs], pairs.map((pair) => [pair])]) {
    const table = `k${(tables += 1)}`
    await database.rows(`CREATE TABLE ${table} (k ${type} PRIMARY KEY, n int, sum int)`)
    const open = await postgres(database.url)
      .table(table, { key: 'k', merge: { sum: 'add' } })
      .open(testContext({ hasDeadLetters: true }))
    const task = await open.claim('t')
    for (const batch of batches) await task.write(keyedBatch(batch))
    await open.close()
    results.push(await database.rows(`SELECT n, sum FROM ${table} ORDER BY k`))
  }
  return results as [unknown[], unknown[]]
}

/** A type, and ways to write the same key and another one. */
const loose: readonly (readonly [string, readonly unknown[]])[] = [
  ['numeric', ['1.0', '1.00', 1, '2']],
  ['numeric(6,2)', ['1.001', '1.00', 1, '1.01']],
  ['citext', ['A', 'a', 'b']],
  ['text COLLATE loose', ['Ab', 'aB', 'AB', 'c']],
  ['character(4)', ['a', 'a ', 'b']],
  ['double precision', [0, -0, 1]],
  ['timestamp(0)', ['2001-01-01T00:00:00.1Z', '2001-01-01T00:00:00Z', '2001-01-01T00:00:01Z']],
]

test.each(loose)(
  'keys of %s that are equal to the server are one key: the last wins',
  async (type, keys) => {
    const pairs = keys.map((k, n): Pair => [{ k }, { n, sum: 1 }])
    const [together, apart] = await both(type, pairs)
    expect(together).toEqual(apart)
    expect(together).toEqual([
      [keys.length - 2, keys.length - 1],
      [keys.length - 1, 1],
    ])
  },
)

test('whatever the order of rows and deletes, the table is what replaying them one by one gives', async () => {
  const record = fc.tuple(fc.nat(4), fc.boolean())
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...loose),
      fc.array(record, { maxLength: 9 }),
      async ([type, keys], records) => {
        const pairs = records.map(([key, isDelete], n): Pair => {
          return [{ k: keys[key % keys.length] }, isDelete ? null : { n, sum: 1 }]
        })
        const [together, apart] = await both(type, pairs)
        expect(together).toEqual(apart)
      },
    ),
    { numRuns: 40 },
  )
})
