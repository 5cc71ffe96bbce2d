import { type PostgresServer, startPostgres } from '@millrace/connectors/testing'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Finished } from '../cli/run-command.ts'
import { inParallel } from '../crash/in-parallel.ts'
import { pipelineScript, Workplace } from '../bad-input/workplace.ts'

/** No other text holds it; whoever prints a password prints this. */
const canary = 'kanari3nvogel'

const serverPlace = new Workplace()
let server: PostgresServer
let database: Client
let url: string
let place: Workplace
let said = ''

beforeAll(async () => {
  server = await startPostgres({ directory: serverPlace.path('postgres') })
  database = new Client({ connectionString: server.url })
  await database.connect()
  await database.query(`CREATE ROLE miller LOGIN SUPERUSER PASSWORD '${canary}'`)
  const withCanary = new URL(server.url)
  withCanary.username = 'miller'
  withCanary.password = canary
  url = withCanary.href
})
afterAll(async () => {
  await database.end()
  await server.stop()
  serverPlace.remove()
})
beforeEach(() => {
  place = new Workplace()
  said = ''
})
afterEach(() => {
  expect(said).not.toContain(canary)
  expect(said.length).toBeGreaterThan(0)
  expect(filesWithCanary(place.directory)).toEqual([])
  place.remove()
})

/** Every file below a directory that holds the password, as text or base64. */
function filesWithCanary(directory: string): string[] {
  const found: string[] = []
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name)
    if (name.startsWith('node_modules') || !statSync(path).isFile()) continue
    const bytes = readFileSync(path)
    const needles = [canary, Buffer.from(canary).toString('base64').slice(0, 16)]
    if (needles.some((needle) => bytes.includes(needle))) found.push(path)
  }
  return found
}

async function spoken(
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  const ended = await place.millrace(words, { env: { CANARY_URL: url, ...env } })
  said += ended.stdout + ended.stderr
  return ended
}

const rows = '{"n":1,"v":"one"}\n{"n":"two","v":"bad"}\n{"n":3,"v":"three"}\n'

function writeJob(sink: string, name = 'job'): void {
  place.write('rows.ndjson', rows)
  place.write('job.ts', pipelineScript({ source: "ndjson<any>('rows.ndjson')", sink, name }))
}

test('a run, its dead letters, its topics and its drawing hold no password', async () => {
  await database.query('CREATE TABLE people (n int, v text)')
  writeJob(`postgres(process.env.CANARY_URL).table('people')`)
  expect(await spoken(['run', 'job.ts'])).toMatchObject({ code: 1 })
  const withLetters = await spoken(['run', 'job.ts', '--on-error', 'dead-letter'])
  expect(withLetters).toMatchObject({ code: 3 })
  for (const words of [
    ['topology', 'job.ts'],
    ['topology', 'job.ts', '--mermaid'],
    ['topic', 'list', '--all'],
    ['group', 'list'],
    ['log', 'verify'],
  ]) {
    await spoken(words)
  }
  const { stdout } = await place.millrace(['topic', 'list', '--all', '-o', 'json'])
  for (const [, topic = ''] of stdout.matchAll(/"(?:name|topic)":\s*"([^"]+)"/g)) {
    await spoken(['consume', topic, '--from-beginning', '--exit'])
  }
  await database.query('DROP TABLE people')
})

test('no failure to connect, log in, find or write tells the password', async () => {
  const at = (change: (url: URL) => void): string => {
    const changed = new URL(url)
    change(changed)
    return changed.href
  }
  const failing = [
    at((each) => void (each.port = '1')),
    at((each) => void (each.hostname = 'no-such-host.invalid')),
    at((each) => void (each.pathname = '/nowhere')),
    at((each) => void (each.username = 'nobody')),
    at((each) => void (each.protocol = 'mysql:')),
    at((each) => void (each.search = '?sslmode=verify-full')),
    at((each) => void (each.search = `?password=${canary}&host=/nowhere`)),
    `postgres://miller:${canary}@127.0.0.1:notaport/db`,
    `postgres://miller:${canary}%zz@127.0.0.1/db`,
    `miller:${canary}@127.0.0.1/db`,
    `host=127.0.0.1 user=miller password=${canary} dbname=postgres`,
  ]
  place.write('rows.ndjson', rows)
  const job = pipelineScript({ source: "ndjson<any>('rows.ndjson')", sink: "postgres.table('t')" })
  place.write('job.ts', job)
  await inParallel(4, failing.entries(), async ([index, bad]) => {
    const ran = await spoken(['run', 'job.ts', '--log', `log${index}`], { DATABASE_URL: bad })
    const loaded = await spoken(['load', 'rows.ndjson', '--to', bad, '--table', 'people'])
    expect([bad, ran.code === 0, loaded.code === 0]).toEqual([bad, false, false])
    expect(filesWithCanary(place.path(`log${index}`))).toEqual([])
  })
})

test('a URL in the wrong place of the command line is not repeated with its password', async () => {
  place.write('rows.ndjson', rows)
  for (const words of [
    ['load', url, '--to', 'rows.ndjson', '--table', 'people'],
    ['load', 'rows.ndjson', '--to', url],
    ['load', 'rows.ndjson', '--tabel', url],
    ['run', url],
    ['topic', 'create', url],
    ['consume', url],
    [url],
    ['--log', url, 'topic', 'list'],
    ['topic', 'list', '--log', url],
  ]) {
    const ended = await spoken(words)
    expect([words, ended.code]).not.toEqual([words, 0])
  }
  await place.millrace(['topic', 'list'])
  await place.millrace(['topic', 'create', 'x'])
})

test('a script that throws an error of its own with the URL in it does not print the password', async () => {
  place.write('rows.ndjson', rows)
  const step = 'map(() => { throw new Error(`cannot reach ${process.env.CANARY_URL}`) })'
  place.write('job.ts', pipelineScript({ source: "ndjson<any>('rows.ndjson')", step }))
  const ended = await spoken(['run', 'job.ts'])
  expect(ended.code).toBe(1)
  expect(ended.stderr).toContain('cannot reach postgresql://miller:***@'.slice(0, 20))
})
