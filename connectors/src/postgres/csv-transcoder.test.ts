import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryFile } from '../files/testing/file-fixture.ts'
import { csv } from '../files/csv/csv.ts'
import { load } from '../load/load.ts'
import { CopyBuffer } from './copy-buffer.ts'
import { CsvTranscoder } from './csv-transcoder.ts'
import { postgres } from './postgres.ts'
import { TestDatabase } from './testing/test-database.ts'
import { codecOf } from './codecs/catalog.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
  await database.rows(`ALTER DATABASE postgres SET TimeZone = 'America/New_York'`)
})
afterAll(() => database.stop())

const dialect = { delimiter: ',', quote: '"', null: '' }
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`

/** Is a field turned into a value here, rather than left to the server? */
function isTaken(oid: number, field: string): boolean {
  const column = { name: 'v', type: 'v', codec: codecOf(oid, new Map()) }
  const bytes = Buffer.from(`${field}\n`)
  const end = CsvTranscoder.for([column], dialect)?.write(new CopyBuffer(), bytes, 0)
  return end === bytes.length
}

const two = (min: number, max: number) =>
  fc.integer({ min, max }).map((n) => String(n).padStart(2, '0'))
const day = fc
  .tuple(
    fc.oneof(fc.constantFrom(1900, 2000, 2001, 2004, 2100), fc.integer({ min: 1, max: 9999 })),
    two(0, 13),
    fc.oneof(two(28, 32), two(0, 32)),
  )
  .map(([year, month, date]) => `${String(year).padStart(4, '0')}-${month}-${date}`)
const fraction = fc.constantFrom('', '.5', '.123456', '.000001', '.1234567', '.')
const zone = fc.constantFrom('', 'Z', '+00', '+02', '-05:30', ' UTC')
const time = fc
  .tuple(day, fc.constantFrom(' ', 'T', '  '), two(0, 24), two(0, 60), two(0, 60), fraction, zone)
  .map(([date, gap, h, m, s, rest, at]) => `${date}${gap}${h}:${m}:${s}${rest}${at}`)
const oddTimes = fc.constantFrom('infinity', 'epoch', '2001-1-1', '20010203', 'now', '')
const integer = fc.oneof(
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
  fc.constantFrom(
    '',
    '-',
    '+5',
    ' 7',
    '7 ',
    '1e3',
    '0x1F',
    '1_000',
    '-0',
    '007',
    '999999999999999',
  ),
  fc.constantFrom('9223372036854775807', '-9223372036854775808', '32767', '-32769', '2147483648'),
)
const decimal = fc.oneof(
  fc.double().map(String),
  fc.constantFrom(
    '1.50',
    '-0.00',
    '1e10',
    'NaN',
    ' 1.5 ',
    '1e400',
    '1e-400',
    '0e-9',
    '0x10',
    '.5',
    '5.',
    'inf',
    '-Infinity',
  ),
)

test.each([
  ['smallint', 21, integer, '7'],
  ['integer', 23, integer, '-7'],
  ['bigint', 20, integer, '123456789012345'],
  ['double precision', 701, decimal, '-1.5e10'],
  ['numeric', 1700, decimal, '12.50'],
  [
    'boolean',
    16,
    fc.constantFrom('t', 'f', 'true', 'FALSE', 'yes', 'no', 'on', 'of', '1', '0', '2', ' t', ''),
    't',
  ],
  ['date', 1082, fc.oneof(day, time, oddTimes), '2000-02-29'],
  ['timestamp', 1114, fc.oneof(time, day, oddTimes), '2001-02-03 04:05:06'],
  ['timestamptz', 1184, fc.oneof(time, day, oddTimes), '2001-02-03T04:05:06.789Z'],
  ['text', 25, fc.string({ unit: 'binary' }), 'ORD'],
  ['varchar(900)', 1043, fc.string({ unit: 'grapheme', maxLength: 9 }), 'ORD'],
  [
    'uuid',
    2950,
    fc.oneof(
      fc.uuid(),
      fc.uuid().map((id) => id.toUpperCase()),
      fc.uuid().map((id) => id.replaceAll('-', '')),
      fc.uuid().map((id) => `{${id}}`),
    ),
    'c0ffee00-1234-4abc-8def-0123456789ab',
  ],
  ['json', 114, fc.json(), '{"a":[1]}'],
  ['jsonb', 3802, fc.json(), '{"a":[1]}'],
] as const)('%s: what is turned into a value here, the server reads alike', async (...row) => {
  const [type, oid, texts, usual] = row
  expect(isTaken(oid, quoted(usual))).toBe(true)
  const sample = fc
    .sample(texts, 2000)
    .filter((text) => !/[\0\r]/.test(text) && text.isWellFormed())
  const taken = sample.filter((text) => isTaken(oid, quoted(text)) && !text.includes('\\u0000'))
  expect(taken.length).toBeGreaterThan(0)
  const table = `t${oid}`
  await database.rows(`CREATE TABLE ${table} (src text, v ${type})`)
  await database.rows(
    `CREATE FUNCTION read_${table}(text) RETURNS ${type} LANGUAGE plpgsql SET TimeZone = 'UTC'
     AS 'BEGIN RETURN $1::${type}; END'`,
  )
  const lines = taken.map((text) => `${quoted(text)},${quoted(text)}\n`)
  const source = csv(await temporaryFile(`src,v\n${lines.join('')}`), {
    columns: { src: 'string', v: 'string' },
  })
  await load({ source, sink: postgres(database.url).table(table) })
  const sql = `SELECT src, v::text, read_${table}(src)::text AS expected FROM ${table}
    WHERE v::text IS DISTINCT FROM read_${table}(src)::text`
  expect(await database.rows(sql)).toEqual([])
  const [[count] = []] = await database.rows(`SELECT count(*)::int FROM ${table}`)
  expect(count).toBe(taken.length)
})

test('nulls, quotes and lengths of records are told apart', () => {
  const columns = [25, 25].map((oid) => ({ name: 'v', type: 'v', codec: codecOf(oid, new Map()) }))
  const rows = (text: string): string | undefined => {
    const out = new CopyBuffer()
    const bytes = Buffer.from(text)
    const end = CsvTranscoder.for(columns, dialect)?.write(out, bytes, 0)
    return end === bytes.length ? out.take().toString('latin1') : undefined
  }
  const field = (text: string): string => `\0\0\0${String.fromCharCode(text.length)}${text}`
  const nothing = '\xff\xff\xff\xff'
  expect(rows('a,\n"",b\n')).toBe(`\0\x02${field('a')}${nothing}\0\x02${field('')}${field('b')}`)
  expect(rows('"a""b","""\n,"\r\n')).toBe(`\0\x02${field('a"b')}${field('"\n,')}`)
  expect(rows('a,"b"')).toBe(`\0\x02${field('a')}${field('b')}`)
  expect(rows('\n\r\na,b\n\n')).toBe(`\0\x02${field('a')}${field('b')}`)
  expect(rows('a\n')).toBeUndefined()
  expect(rows('a,b"\n')).toBeUndefined()
  expect(rows('a,b,c\n')).toBeUndefined()
})
