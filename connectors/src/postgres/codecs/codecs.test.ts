import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgres } from '../postgres.ts'
import { TestDatabase, batchOf, testContext } from '../testing/test-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

let tables = 0

/** Writes values into a column of `type` and reads back their text as the server sees it. */
async function roundTrip(
  type: string,
  values: readonly unknown[],
  read = 'v::text',
  otherColumn = '',
): Promise<unknown[]> {
  const table = `t${(tables += 1)}`
  await database.rows(`CREATE TABLE ${table} (n int, v ${type} ${otherColumn})`)
  const open = await postgres(database.url).table(table).open(testContext({}))
  try {
    const task = await open.claim('t')
    await task.write(batchOf(values.map((v, n) => ({ n, v }))))
    return (await database.rows(`SELECT ${read} FROM ${table} ORDER BY n`)).flat()
  } finally {
    await open.close()
  }
}

const megabyte = 'ß'.repeat(500_000)

/** Type, then pairs of a value and what `v::text` says of it. */
const matrix: readonly [string, readonly (readonly [unknown, string | null])[]][] = [
  [
    'smallint',
    [
      [null, null],
      [-32768, '-32768'],
      [32767n, '32767'],
      [' +7 ', '7'],
      [-0, '0'],
    ],
  ],
  [
    'integer',
    [
      [-2147483648, '-2147483648'],
      [2147483647, '2147483647'],
      ['12', '12'],
    ],
  ],
  [
    'bigint',
    [
      [-(2n ** 63n), '-9223372036854775808'],
      [2n ** 63n - 1n, '9223372036854775807'],
      ['-9223372036854775808', '-9223372036854775808'],
      [Number.MAX_SAFE_INTEGER, '9007199254740991'],
      [Number.MIN_SAFE_INTEGER, '-9007199254740991'],
      [-4294967296, '-4294967296'],
      [-1, '-1'],
    ],
  ],
  [
    'real',
    [
      [1.5, '1.5'],
      [Number.NaN, 'NaN'],
      [-Infinity, '-Infinity'],
      ['0.25', '0.25'],
    ],
  ],
  [
    'double precision',
    [
      [0.1, '0.1'],
      [Number.NaN, 'NaN'],
      [Infinity, 'Infinity'],
      [5e-324, '5e-324'],
      [12n, '12'],
    ],
  ],
  [
    'numeric',
    [
      [0, '0'],
      ['0.00', '0.00'],
      ['-0.0001', '-0.0001'],
      [12345.678, '12345.678'],
      [1e21, '1000000000000000000000'],
      [1e-7, '0.0000001'],
      ['1.5e3', '1500'],
      ['12e-3', '0.012'],
      ['99999999999999999999.000000000000000001', '99999999999999999999.000000000000000001'],
      [10n ** 40n, `1${'0'.repeat(40)}`],
      [Number.NaN, 'NaN'],
      [Infinity, 'Infinity'],
      ['-Infinity', '-Infinity'],
    ],
  ],
  [
    'numeric(5,2)',
    [
      [1.005, '1.01'],
      ['999.99', '999.99'],
    ],
  ],
  [
    'text',
    [
      ['', ''],
      ['😀 "quoted" \\ \t\n', '😀 "quoted" \\ \t\n'],
      [5, '5'],
      [megabyte, megabyte],
    ],
  ],
  ['varchar(3)', [['abc', 'abc']]],
  ['char(3)', [['ab', 'ab']]],
  [
    'boolean',
    [
      [true, 'true'],
      [false, 'false'],
      ['t', 'true'],
      ['off', 'false'],
    ],
  ],
  [
    'timestamp',
    [
      [new Date('2001-01-31T23:59:59.123Z'), '2001-01-31 23:59:59.123'],
      ['2001-01-31 23:59:59.123456', '2001-01-31 23:59:59.123456'],
      ['0001-01-01T00:00:00Z', '0001-01-01 00:00:00'],
      ['9999-12-31T23:59:59.999999Z', '9999-12-31 23:59:59.999999'],
      ['294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999'],
      [978307260000.5, '2001-01-01 00:01:00.0005'],
      [0, '1970-01-01 00:00:00'],
      [0n, '1970-01-01 00:00:00'],
      [Infinity, 'infinity'],
      ['-infinity', '-infinity'],
      [new Date(-1), '1969-12-31 23:59:59.999'],
      [new Date(Date.UTC(-43, 2, 15)), '0044-03-15 00:00:00 BC'],
      [new Date(Date.UTC(12026, 0, 1)), '12026-01-01 00:00:00'],
      ['2001-01-01T00:00:00+02:00', '2000-12-31 22:00:00'],
    ],
  ],
  [
    'timestamptz',
    [
      ['2001-01-31T23:59:59+05:30', '2001-01-31 18:29:59+00'],
      ['2001-01-31', '2001-01-31 00:00:00+00'],
      [new Date(Date.UTC(9999, 11, 31)), '9999-12-31 00:00:00+00'],
    ],
  ],
  [
    'date',
    [
      ['0001-01-01', '0001-01-01'],
      ['9999-12-31', '9999-12-31'],
      [new Date('2000-02-29T23:00:00Z'), '2000-02-29'],
      [-1, '1969-12-31'],
      ['infinity', 'infinity'],
    ],
  ],
  ['uuid', [['6F9619FF-8B86-D011-B42D-00CF4FC964FF', '6f9619ff-8b86-d011-b42d-00cf4fc964ff']]],
  [
    'bytea',
    [
      [Buffer.from([0, 255, 1]), '\\x00ff01'],
      ['\\xAB', '\\xab'],
      [new Uint8Array(0), '\\x'],
    ],
  ],
  [
    'jsonb',
    [
      [{ a: [1, 'x', null, 2n ** 64n] }, '{"a": [1, "x", null, 18446744073709551616]}'],
      ['text', '"text"'],
      [5, '5'],
      [{ path: 'C:\\u0000' }, '{"path": "C:\\\\u0000"}'],
      [{ emoji: '😀' }, '{"emoji": "😀"}'],
    ],
  ],
  ['json', [[{ b: 1, a: 2 }, '{"b":1,"a":2}']]],
  [
    'integer[]',
    [
      [[1, null, 3], '{1,NULL,3}'],
      [
        [
          [1, 2],
          [3, 4],
        ],
        '{{1,2},{3,4}}',
      ],
      [[], '{}'],
    ],
  ],
  ['text[]', [[['a,b', 'NULL', 'q"\\'], '{"a,b","NULL","q\\"\\\\"}']]],
  ['jsonb[]', [[[[1], { a: 2 }], '{[1],"{\\"a\\": 2}"}']]],
  ['bigint[]', [[new BigInt64Array([1n, -1n]), '{1,-1}']]],
]

describe.each(matrix)('%s', (type, pairs) => {
  const values = pairs.map(([value]) => value)
  const texts = pairs.map(([, text]) => text)

  test('every value arrives as it is, by binary COPY', async () => {
    expect(await roundTrip(type, values)).toEqual(texts)
  })

  test('and by text COPY, beside a column of a type without a codec', async () => {
    expect(await roundTrip(type, values, 'v::text', ', other inet')).toEqual(texts)
  })
})

test('enums and domains are copied in binary', async () => {
  await database.rows(
    `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int CHECK (value < 10)`,
  )
  expect(await roundTrip('mood', ['ok', null])).toEqual(['ok', null])
  expect(await roundTrip('small', [9, '3'])).toEqual(['9', '3'])
  expect(await roundTrip('mood[]', [['ok', 'sad']])).toEqual(['{ok,sad}'])
})

test('types without a codec are read by the server from their text', async () => {
  expect(await roundTrip('inet', ['10.0.0.1', null])).toEqual(['10.0.0.1/32', null])
  expect(await roundTrip('time', ['12:34:56.5'])).toEqual(['12:34:56.5'])
  expect(await roundTrip('interval', ['1 day'])).toEqual(['1 day'])
  expect(await roundTrip('point', ['(1,2)'])).toEqual(['(1,2)'])
})

test('a name with quotes, spaces and emoji is only a name', async () => {
  await database.rows(`CREATE TABLE "the ""table"" 😀" ("a ""b"" c" int, "constructor" text)`)
  const open = await postgres(database.url).table('the "table" 😀').open(testContext({}))
  const task = await open.claim(`it's \\ "quoted"`)
  await task.write(batchOf([{ 'a "b" c': 1, constructor: 'x' }, { 'a "b" c': 2 }]))
  expect(await database.rows(`SELECT * FROM "the ""table"" 😀"`)).toEqual([
    [1, 'x'],
    [2, null],
  ])
  await open.close()
})

describe('whatever the values, what is read back equals what was written', () => {
  const jsonValue = fc
    .jsonValue()
    .filter((value) => !/\\u0000|\\ud[89a-f]/.test(JSON.stringify(value)))
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'))
  const decimal = fc.tuple(fc.bigInt(), fc.integer({ min: 0, max: 30 })).map(([digits, scale]) => {
    const padded = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0')
    const point = padded.length - scale
    const body = scale === 0 ? padded : `${padded.slice(0, point)}.${padded.slice(point)}`
    return digits < 0n ? `-${body}` : body
  })
  const cases: readonly [string, fc.Arbitrary<unknown>, string, (value: never) => unknown][] = [
    ['bigint', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), 'v::text', String],
    ['double precision', fc.double({ noNaN: true }).map((v) => v + 0), 'v', (value) => value],
    ['numeric', decimal, 'v::text', (value) => value],
    ['text', text, 'v', (value) => value],
    ['jsonb', jsonValue, 'v', (value) => JSON.parse(JSON.stringify(value)) as unknown],
    ['uuid', fc.uuid(), 'v', (value) => value],
    ['bytea', fc.uint8Array(), 'v', (value) => Buffer.from(value)],
    ['text[]', fc.array(fc.option(text)), 'v', (value) => value],
    [
      'timestamptz',
      fc.date({ noInvalidDate: true, min: new Date('0001-01-01Z'), max: new Date('9999-12-31Z') }),
      `(extract(epoch FROM v) * 1000)::bigint::text`,
      (value: Date) => String(value.getTime()),
    ],
  ]
  test.each(cases)('%s', async (type, arbitrary, read, expected) => {
    const values = fc.sample(arbitrary, { numRuns: 2_000, seed: 7 })
    const found = await roundTrip(type, values, read)
    expect(found).toEqual(values.map((value) => expected(value as never)))
  })
})
