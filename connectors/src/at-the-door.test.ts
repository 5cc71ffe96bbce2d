import { UsageError } from '@millrace/core'
import { expect, test } from 'vitest'
import { console } from './console/console.ts'
import { csv } from './files/csv/csv.ts'
import { ndjson } from './files/ndjson/ndjson.ts'
import { parquet } from './files/parquet/parquet.ts'
import { generate } from './generate/generate.ts'
import { load } from './load/load.ts'
import { loadTable } from './load/load-table.ts'
import { planLoad } from './load/plan-load.ts'
import { postgres } from './postgres/postgres.ts'

// What Node would run: the compiler refuses most of it.
const bad = (value: unknown): never => value as never
const record = (index: number): number => index
const url = 'postgres://user:canary@localhost/db'
const source = csv('x.csv')
const sink = postgres(url).table('t')

test.each<[string, () => unknown, string]>([
  [
    'a table in a mode that there is not',
    () => postgres.table('t', bad({ mode: 'upser', key: 'id' })),
    'postgres.table("t"): mode must be one of append, upsert, not "upser". Did you mean "upsert"?',
  ],
  [
    'a table with a merge rule that there is not',
    () => postgres.table('t', bad({ key: 'id', merge: { hits: 'sum' } })),
    'postgres.table("t"): merge.hits must be one of replace, keep, add, greatest, least, not "sum".',
  ],
  [
    'a table without connections',
    () => postgres.table('t', { connections: 0 }),
    'postgres.table("t"): connections must be a whole number of at least 1, not 0.',
  ],
  [
    'a table without patience',
    () => postgres.table('t', { retryForMs: NaN }),
    'postgres.table("t"): retryForMs must be a number of milliseconds, at least 0, or Infinity, not NaN.',
  ],
  [
    'a table without columns',
    () => postgres.table('t', { columns: [] }),
    'postgres.table("t"): columns must be a list of at least 1, each text that is not empty, not an empty list.',
  ],
  [
    'a table with a typo',
    () => postgres.table('t', bad({ keys: ['id'] })),
    'postgres.table("t") has no option "keys". Did you mean "key"?',
  ],
  [
    'a table without a name',
    () => postgres.table(bad(undefined)),
    'postgres.table: its name is missing: it must be text that is not empty.',
  ],
  [
    'a database that is an object, which may hold a password',
    () => postgres(bad({ url })),
    'postgres: its URL must be text that is not empty, not an object.',
  ],
  [
    'CSV files compressed by what there is not',
    () => csv.files('out', bad({ compression: 'lzma' })),
    'csv.files: compression must be one of gzip, zstd, not "lzma".',
  ],
  [
    'CSV files that end their lines otherwise',
    () => csv.files('out', bad({ lineEnd: '\r' })),
    String.raw`csv.files: lineEnd must be '\n' or '\r\n', not "\r".`,
  ],
  [
    'CSV files that are closed at no size',
    () => csv.files('out', { rollBytes: 0 }),
    'csv.files: rollBytes must be a whole number of bytes, at least 1, not 0.',
  ],
  [
    'NDJSON files compressed by what there is not',
    () => ndjson.files('out', bad({ compression: 'gz' })),
    'ndjson.files: compression must be one of gzip, zstd, not "gz". Did you mean "gzip"?',
  ],
  [
    'Parquet files with a typo',
    () => parquet.files('out', bad({ rowGroupSize: 5 })),
    'parquet.files has no option "rowGroupSize". Did you mean "rowGroupRows"?',
  ],
  [
    'Parquet files without a directory',
    () => parquet.files(''),
    'parquet.files: its directory must be text that is not empty, not "".',
  ],
  [
    'a CSV file without a path',
    () => csv(bad(undefined)),
    'csv: its path is missing: it must be text that is not empty.',
  ],
  [
    'a CSV file between whose fields stand two characters',
    () => csv('x.csv', { delimiter: '||' }),
    'csv: delimiter must be one ASCII character, not "||".',
  ],
  [
    'a CSV file with a type that there is not',
    () => csv('x.csv', bad({ columns: { id: 'integer' } })),
    'csv: columns.id must be one of boolean, int32, int64, float64, decimal, string, bytes, timestamp, date, uuid, json, not "integer".',
  ],
  [
    'a CSV file with a limit that is none',
    () => csv('x.csv', { limit: NaN }),
    'csv: limit must be a whole number of at least 0, not NaN.',
  ],
  [
    'an NDJSON file with a typo',
    () => ndjson('x.ndjson', bad({ folow: true })),
    'ndjson has no option "folow". Did you mean "follow"?',
  ],
  [
    'a Parquet file with an option of CSV',
    () => parquet('x.parquet', bad({ header: true })),
    'parquet has no option "header". It has limit.',
  ],
  [
    'records out of nothing, at no rate',
    () => generate({ record, rate: 0 }),
    'generate: rate must be a number above 0, not 0.',
  ],
  [
    'records that nobody makes',
    () => generate(bad({ count: 5 })),
    'generate: record is missing: it must be a function.',
  ],
  [
    'a console that writes what it can not',
    () => console(bad({ format: 'xml' })),
    'console: format must be one of json, csv, not "xml".',
  ],
])('%s is refused', (_, make, message) => {
  expect(refusal(make)).toBe(message)
})

test.each<[string, () => Promise<unknown>, string]>([
  [
    'of no files',
    () => load({ source: [], sink }),
    'load: source must be a source, such as csv(…), or a list of at least 1, each a source, such as csv(…), not an empty list.',
  ],
  [
    'of a path',
    () => load({ source: bad('x.csv'), sink }),
    'load: source must be a source, such as csv(…), or a list of at least 1, each a source, such as csv(…), not "x.csv".',
  ],
  [
    'into nothing',
    () => load(bad({ source })),
    'load: sink is missing: it must be a sink, such as postgres.table(…).',
  ],
  [
    'in transactions of nothing',
    () => load({ source, sink, transactionBytes: 0 }),
    'load: transactionBytes must be a whole number of bytes, at least 1, not 0.',
  ],
  [
    'with fewer than no rejects',
    () => load({ source, sink, rejects: { path: 'r', max: -1 } }),
    'load: rejects.max must be a whole number of at least 0, or Infinity, not -1.',
  ],
  [
    'of columns of no type',
    () => load({ source, sink, mapping: bad({ types: { id: 'int' } }) }),
    'load: mapping.types.id must be one of boolean, int32, int64, float64, decimal, string, bytes, timestamp, date, uuid, json, not "int". Did you mean "int32"?',
  ],
  [
    'from a table, of nowhere',
    () => loadTable(bad({ from: { table: 't' }, sink })),
    'loadTable: from.url is missing: it must be text that is not empty.',
  ],
  [
    'as a plan, with a typo',
    () => planLoad(bad({ source, url, table: 't', keys: ['id'] })),
    'planLoad has no option "keys". Did you mean "key"?',
  ],
])('a load %s is refused', async (_, begin, message) => {
  await expect(begin()).rejects.toMatchObject({ code: 'USAGE', message })
})

function refusal(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return (error as UsageError).message
  }
  return 'it was taken'
}
