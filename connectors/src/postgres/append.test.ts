import { RejectedError } from '@millrace/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres } from './postgres.ts'
import { TestDatabase, batchOf, testContext } from './testing/test-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

test('appended rows and their position are there after write', async () => {
  await database.rows('CREATE TABLE flights (origin text, delay int)')
  const sink = postgres(database.url).table('flights')
  const open = await sink.open(testContext({}))
  const task = await open.claim('flights-0')
  expect(task.position).toBeUndefined()
  await task.write(
    batchOf(
      [
        { origin: 'ABQ', delay: 5 },
        { origin: 'OAK', delay: null },
      ],
      { offset: 2 },
    ),
  )
  await task.write(batchOf([{ origin: 'JFK', delay: -1 }], { offset: 3 }))
  expect(await database.rows('SELECT * FROM flights ORDER BY origin')).toEqual([
    ['ABQ', 5],
    ['JFK', -1],
    ['OAK', null],
  ])
  const again = await open.claim('flights-0')
  expect(again.position).toEqual({ offset: 3 })
  await open.close()
})

test('without a dead-letter route a bad row rejects its batch, by name', async () => {
  await database.rows('CREATE TABLE strict (origin text, delay int)')
  const open = await postgres(database.url).table('strict').open(testContext({}))
  const task = await open.claim('flights-0')
  const write = task.write(
    batchOf([
      { origin: 'ABQ', delay: 5 },
      { origin: 'OAK', delay: 2 ** 40 },
    ]),
  )
  await expect(write).rejects.toThrow(RejectedError)
  await expect(write).rejects.toThrow(/Row 1 .*"strict".*"delay" \(integer\).*1099511627776/)
  expect(await database.rows('SELECT * FROM strict')).toEqual([])
  await open.close()
})

test('every byte of a batch arrives, though the server is slower than we are', async () => {
  await database.rows('CREATE TABLE large (id int PRIMARY KEY, v text)')
  const open = await postgres(database.url).table('large').open(testContext({}))
  const task = await open.claim('t')
  const text = (id: number): string => `${id} `.repeat(100)
  const count = 40_000
  await task.write(batchOf(Array.from({ length: count }, (_, id) => ({ id, v: text(id) }))))
  expect(
    await database.rows(`SELECT count(*)::int FROM large WHERE v = repeat(id || ' ', 100)`),
  ).toEqual([[count]])
  await open.close()
})
