import { type PostgresServer, startPostgres } from '@millrace/connectors/testing'
import { existsSync, readdirSync } from 'node:fs'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { pipelineScript, Workplace } from '../bad-input/workplace.ts'

const serverPlace = new Workplace()
let server: PostgresServer
let database: Client
let place: Workplace

beforeAll(async () => {
  server = await startPostgres({ directory: serverPlace.path('postgres') })
  database = new Client({ connectionString: server.url })
  await database.connect()
  await database.query('CREATE TABLE victim (id int)')
})
afterAll(async () => {
  await database.end()
  await server.stop()
  serverPlace.remove()
})
beforeEach(() => {
  place = new Workplace()
})
afterEach(async () => {
  place.remove()
  // Every name in here tries to drop it.
  const { rows } = await database.query(`SELECT to_regclass('victim') IS NOT NULL AS stands`)
  expect(rows).toEqual([{ stands: true }])
})

const withDatabase = (words: readonly string[]) =>
  place.millrace(words, { env: { DATABASE_URL: server.url } })

/** Names that would end a statement, a literal or a dollar quote, were they not quoted. */
const hostileNames = [
  'x"; DROP TABLE victim; --',
  "x'; DROP TABLE victim; --",
  "x\\'; DROP TABLE victim; --",
  '$$; DROP TABLE victim; $$',
  'x) ; DROP TABLE victim; --',
  '%s %I $1 {{x}}',
  'Ünï😀 "quoted" name',
  '__proto__',
]

describe.each(hostileNames)('the name %j', (name) => {
  test('of a table and its columns reaches PostgreSQL as a name and nothing more', async () => {
    const quoted = `"${name.replaceAll('"', '""')}"`
    place.write('rows.csv', `id,${quoted}\n1,one\n2,two\n`)
    for (const mode of [[], ['--mode', 'upsert', '--key', 'id']]) {
      const words = ['load', 'rows.csv', '--to', server.url, '--table', name, '--create', ...mode]
      const ended = await withDatabase(words)
      expect({ code: ended.code, said: ended.code === 0 ? '' : ended.stderr }).toEqual({
        code: 0,
        said: '',
      })
      const { rows } = await database.query({
        text: `SELECT id::int, ${quoted} FROM ${quoted} ORDER BY 1`,
        rowMode: 'array',
      })
      expect(rows).toEqual([
        [1, 'one'],
        [2, 'two'],
      ])
      await database.query(`DROP TABLE ${quoted}; DROP TABLE millrace_fence`)
    }
  })

  test('of a sink or an input enters the fence as text and nothing more', async () => {
    await database.query('CREATE TABLE plain (id int, v text)')
    const file = `${name.replaceAll('/', '_')}.csv`
    place.write(file, 'id,v\n1,one\n')
    const ended = await withDatabase(['load', file, '--to', server.url, '--table', 'plain'])
    expect({ code: ended.code, said: ended.code === 0 ? '' : ended.stderr }).toEqual({
      code: 0,
      said: '',
    })
    const { rows } = await database.query('SELECT sink, task FROM millrace_fence')
    expect(JSON.stringify(rows)).toContain(JSON.stringify(file).slice(1, -1))
    await database.query('DROP TABLE plain; DROP TABLE millrace_fence')
  })
})

test('a name that PostgreSQL would cut off at 63 bytes, or with NUL, is refused before anything is sent', async () => {
  place.write('rows.csv', 'id,v\n1,one\n')
  for (const name of ['t'.repeat(64), 'ü'.repeat(32)]) {
    const ended = await withDatabase([
      'load',
      'rows.csv',
      '--to',
      server.url,
      '--table',
      name,
      '--create',
    ])
    expect(ended.code).toBe(2)
    expect(ended.stderr).toMatch(/longer than 63 bytes, where PostgreSQL would cut it off/)
  }
  place.write('job.ts', pipelineScript({ sink: `postgres.table('a\\0b', { create: true })` }))
  const ended = await withDatabase(['run', 'job.ts', '--quiet'])
  expect(ended.code).toBe(2)
  expect(ended.stderr).toMatch(/contains NUL/)
})

test('no topic, group or pipeline name leads out of the data directory', async () => {
  const hostile = ['../out', '..', '.', '/tmp/out', 'a/b', 'a\\b', 'a\nb', '~', 'a b', '', '%2e%2e']
  for (const name of [...hostile, 'a'.repeat(250)]) {
    const ended = await place.millrace(['topic', 'create', name])
    expect([name, ended.code]).toEqual([name, 2])
    expect(ended.stderr).toMatch(/TOPIC_NAME_INVALID|USAGE/)
  }
  place.write('rows.ndjson', '{"n":1}\n')
  for (const name of hostile.filter((each) => each !== '')) {
    const text = pipelineScript({ source: "ndjson<any>('rows.ndjson')" })
    const escaped = JSON.stringify(name).slice(1, -1)
    place.write('job.ts', text.replace("pipeline('job'", `pipeline("${escaped}"`))
    const ended = await place.run('job.ts')
    expect([name, ended.code]).toEqual([name, 2])
  }
  expect(existsSync(place.path('../out'))).toBe(false)
  expect(readdirSync(place.directory).toSorted()).toEqual([
    'job.ts',
    'millrace-data',
    'node_modules',
    'rows.ndjson',
  ])
})
