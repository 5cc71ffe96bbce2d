import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { csv, ndjson, parquet, type Source } from '@millrace/connectors'
import { startPostgres } from '@millrace/connectors/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { node } from '../cli/run-command.ts'
import { publishedFiles } from './published.ts'

const ORDERS = 5000
const python = process.env['MILLRACE_PYTHON'] ?? 'python3'
const hasPython = (library: string) => spawnSync(python, ['-c', `import ${library}`]).status === 0
const has = {
  duckdb: hasPython('duckdb'),
  pyarrow: hasPython('pyarrow'),
  psql: spawnSync('psql', ['--version']).status === 0,
}
const why = (program: keyof typeof has) =>
  has[program] ? '' : ` (skipped: no ${program} on this machine)`

let cwd = ''
beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-readers-'))
  const script = join(import.meta.dirname, 'orders.ts')
  const ended = await node([script, '--quiet'], { cwd, env: { ORDERS: String(ORDERS) } })
  expect(ended.code, ended.stderr).toBe(0)
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

const run = (code: string): unknown =>
  JSON.parse(execFileSync(python, ['-c', code], { cwd, encoding: 'utf8' }))

const sumOf = (step: number) => {
  const ids = Array.from({ length: ORDERS / step }, (_, i) => i * step)
  return ids.reduce((sum, id) => sum + id, 0)
}

test('our own sources read them all, with partitions', async () => {
  const parquets = await rowsOf(parquet<Row>(join(cwd, 'out/parquet')))
  expect(parquets.map(({ id }) => Number(id)).reduce((sum, id) => sum + id, 0)).toBe(sumOf(1))
  for (const { id, city } of parquets) {
    expect(city).toBe(['Lima', 'Oslo', null, 'a/b'][Number(id) % 4])
  }
  const csvs = await rowsOf(csv<Row>(join(cwd, 'out/csv/day=*/*.csv')))
  expect(csvs).toHaveLength(ORDERS / 2)
  expect(new Set(csvs.map(({ day }) => day))).toEqual(new Set(['1970-01-01', '1970-01-02']))
  expect(await rowsOf(ndjson<Row>(join(cwd, 'out/ndjson')))).toHaveLength(ORDERS)
})

type Row = Record<string, unknown>

async function rowsOf(source: Source<Row>): Promise<Row[]> {
  const reader = await source.open({ position: undefined, signal: new AbortController().signal })
  const rows: Row[] = []
  for await (const batch of reader.batches()) rows.push(...batch.rows)
  await reader.close()
  return rows
}

test.skipIf(!has.duckdb)(`DuckDB reads all three, with partitions${why('duckdb')}`, () => {
  const ask = (sql: string) =>
    run(`import duckdb, json; print(json.dumps(duckdb.sql("""${sql}""").fetchall()))`)
  expect(
    ask(`SELECT count(*), sum(id)::BIGINT, count(DISTINCT day), max(day)::VARCHAR, count(note)
         FROM read_csv('out/csv/*/*.csv', hive_partitioning = true, allow_quoted_nulls = false)`),
  ).toEqual([[ORDERS / 2, sumOf(2), 2, '1970-01-02', ORDERS / 2]])
  expect(
    ask(`SELECT city, count(*) FROM read_parquet('out/parquet/*/*.parquet', hive_partitioning = true)
         GROUP BY city ORDER BY city NULLS LAST`),
  ).toEqual([
    ['Lima', ORDERS / 4],
    ['Oslo', ORDERS / 4],
    ['a/b', ORDERS / 4],
    [null, ORDERS / 4],
  ])
  expect(
    ask(
      `SELECT count(*), sum(id)::BIGINT FROM read_json('out/ndjson/*.ndjson.gz', format = 'newline_delimited')`,
    ),
  ).toEqual([[ORDERS, sumOf(1)]])
})

test.skipIf(!has.pyarrow)(`pyarrow reads Parquet, types included${why('pyarrow')}`, () => {
  const code = `
import json, pyarrow.dataset as ds
found = ds.dataset('out/parquet', format='parquet', partitioning='hive', exclude_invalid_files=False,
                   ignore_prefixes=['.', '_']).to_table()
print(json.dumps([found.num_rows, sum(found['id'].to_pylist()), str(found.schema.field('id').type), sorted(found.column_names)]))`
  expect(run(code)).toEqual([ORDERS, sumOf(1), 'int64', ['at', 'city', 'id', 'note']])
})

test.skipIf(!has.psql)(
  `psql reads CSV: null, nothing, quotes and line ends${why('psql')}`,
  async () => {
    const server = await startPostgres({ directory: join(cwd, 'postgres') })
    try {
      const files = publishedFiles(join(cwd, 'out/csv'))
      const copies = files.map((path) => `\\copy orders FROM '${path}' WITH (FORMAT csv, HEADER)`)
      const sql = [
        'CREATE TABLE orders (id bigint, city text, at bigint, note text);',
        ...copies,
        `SELECT count(*), sum(id), count(city), count(*) FILTER (WHERE note = ''), sum(length(note)) FROM orders;`,
      ].join('\n')
      const psql = promisify(execFile)('psql', ['-qtAX', '-v', 'ON_ERROR_STOP=1', server.url])
      psql.child.stdin?.end(sql)
      const { stdout } = await psql
      const even = Array.from({ length: ORDERS / 2 }, (_, i) => 2 * i)
      const note = (id: number) => (id % 7 === 0 ? '' : `note "${id}",\nof two lines`)
      const notes = even.map(note)
      expect(stdout.trim().split('|').map(Number)).toEqual([
        even.length,
        sumOf(2),
        even.filter((id) => id % 4 === 0).length,
        notes.filter((text) => text === '').length,
        notes.join('').length,
      ])
      expect(readFileSync(files[0] ?? '', 'utf8').split('\n')[0]).toBe('id,city,at,note')
    } finally {
      await server.stop()
    }
  },
)
