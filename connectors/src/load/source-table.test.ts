import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestDatabase } from '../postgres/testing/test-database.ts'
import { SourceTable } from './source-table.ts'

let database: TestDatabase
beforeAll(async () => (database = await TestDatabase.start()))
afterAll(() => database.stop())

test("what the target says to a row is not taken for the source's own words", async () => {
  const from = { url: database.url, query: 'SELECT * FROM generate_series(1, 9) AS id' }
  const source = await SourceTable.open(from, () => {}, new AbortController().signal)
  const refusal: unknown = await database.rows('SELECT 1 / 0').catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: '22012' })
  await expect(source.copyOut('text', () => Promise.reject(refusal))).rejects.toBe(refusal)
  await source.close()
})
