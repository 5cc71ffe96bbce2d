import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parquet } from '@millrace/connectors'
import { startPostgres } from '@millrace/connectors/testing'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CommandOptions, node } from './cli/run-command.ts'

const folder = resolve(import.meta.dirname, '../examples')

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-examples-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

/** Runs an example in an empty directory and gives its lines. */
async function run(example: string, words: string[] = [], options: CommandOptions = {}) {
  const ended = await node([join(folder, example), ...words], { cwd, ...options })
  expect(ended.code, ended.stderr).toBe(0)
  return ended.stdout.split('\n').filter((line) => line !== '')
}

test('01 appends and reads, and a second run reads only what is new', async () => {
  for (const offsets of [
    [0, 0, 1],
    [2, 1, 3],
  ]) {
    const lines = await run('01-append-and-read.ts')
    expect(lines.slice(0, 3).map((line) => Number(/@(\d+)$/.exec(line)?.[1]))).toEqual(offsets)
    expect(lines.slice(3).toSorted()).toEqual(['Lima: 24 °C', 'Oslo: -3 °C', 'Oslo: -4 °C'])
  }
})

test('02 filters and maps, once', async () => {
  const lines = await run('02-filter-and-map.ts')
  expect(lines).toHaveLength(6)
  expect(lines).toContain(
    '{"iata":"BRW","name":"Wiley Post Will Rogers Memorial","degreesNorth":71}',
  )
  expect(await run('02-filter-and-map.ts')).toEqual([])
})

test('03 counts every day of the file in one window, and no window twice', async () => {
  const lines = await run('03-count-per-window.ts', ['--final'])
  const windows = lines.map((line) => JSON.parse(line) as Record<string, string> & { days: number })
  expect(windows.reduce((sum, { days }) => sum + days, 0)).toBe(1461)
  const keys = windows.map(({ weather, window_start }) => `${weather} ${window_start}`)
  expect(new Set(keys).size).toBe(keys.length)
})

test('04 loads Postgres, and a second run changes nothing', async () => {
  const server = await startPostgres({ directory: join(cwd, 'postgres') })
  const database = new Client({ connectionString: server.url })
  await database.connect()
  try {
    for (const _run of ['first', 'second']) {
      await run('04-file-to-postgres.ts', [], { env: { DATABASE_URL: server.url } })
      const { rows } = await database.query(`
        SELECT (SELECT count(*)::int FROM airports) AS airports,
               (SELECT sum(airports)::int FROM airports_by_state) AS in_states,
               (SELECT count(*)::int FROM airports WHERE state IS NULL) AS without_state`)
      const { airports, in_states, without_state } = rows[0] as Record<string, number>
      expect(airports).toBe(3376)
      expect(in_states).toBe(3376 - (without_state ?? 0))
    }
  } finally {
    await database.end()
    await server.stop()
  }
})

test('05 puts big orders into the last partition', async () => {
  await run('05-custom-partitioner.ts')
  const words = [
    resolve(folder, '../cli/bin/millrace.mjs'),
    'consume',
    'orders',
    '--from-beginning',
    '--exit',
  ]
  const { stdout } = await node(words, { cwd })
  const lines = stdout.split('\n').filter((line) => line !== '')
  expect(lines).toHaveLength(10_000)
  for (const line of lines) {
    const { partition, value } = JSON.parse(line) as { partition: number; value: { total: number } }
    expect(partition === 3).toBe(value.total >= 1000)
  }
})

test('06 archives every reading once, in the directory of its day and station', async () => {
  for (const _run of ['first', 'second']) {
    await run('06-files-out.ts')
    let rows = 0
    for (const path of readdirSync(join(cwd, 'out/readings'), {
      recursive: true,
      encoding: 'utf8',
    })) {
      if (!path.endsWith('.parquet')) continue
      expect(path).toMatch(
        /^dt=1970-01-0[1-3]\/station=(Lima|Oslo|Rome)\/readings-\d-\d{20}\.parquet$/,
      )
      const file = parquet(join(cwd, 'out/readings', path))
      const reader = await file.open({ position: undefined, signal: AbortSignal.abort() })
      rows += reader.total.rows ?? 0
      await reader.close()
    }
    expect(rows).toBe(20_000)
  }
})

test('every step of the ladder is short, runs here, and imports nothing but millrace', () => {
  const steps = readdirSync(folder).filter((file) => /^\d/.test(file))
  const thisTest = readFileSync(import.meta.filename, 'utf8')
  for (const step of steps) {
    const source = readFileSync(join(folder, step), 'utf8')
    expect(source.split('\n').length - 1, step).toBeLessThanOrEqual(40)
    expect(thisTest).toContain(`'${step}'`)
    const imported = [...source.matchAll(/from '([^']+)'/g)].map((match) => match[1])
    expect(imported.filter((name) => !/^(millrace|zod|node:.*)$/.test(name ?? ''))).toEqual([])
  }
})
