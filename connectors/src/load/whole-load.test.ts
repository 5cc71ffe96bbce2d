import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryFile } from '../files/testing/file-fixture.ts'
import { TestDatabase } from '../postgres/testing/test-database.ts'
import type { FixtureOptions } from './testing/load-fixture.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

const fixture = new URL('testing/load-fixture.ts', import.meta.url).pathname

test('one transaction of many rows, upserted one by one, needs the memory of a chunk of them', async () => {
  await database.rows('CREATE TABLE wide (id int PRIMARY KEY, a text, b text, c text)')
  const rows = Array.from({ length: 300_000 }, (_, id) => `${id},a ${id},b ${id},c ${id}\n`)
  const path = await temporaryFile(`id,a,b,c\n${rows.join('')}`)
  const options: FixtureOptions = {
    paths: [path],
    format: 'csv',
    url: database.url,
    table: 'wide',
    connections: 1,
    key: 'id',
    whole: true,
  }
  const args = ['--max-old-space-size=48', fixture, JSON.stringify(options)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (bytes: Buffer) => (complaint += bytes.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  expect({ code, complaint }).toEqual({ code: 0, complaint: '' })
  expect(await database.rows('SELECT count(*)::int FROM wide')).toEqual([[300_000]])
})
