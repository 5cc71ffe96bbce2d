import { copyFileSync, readFileSync, truncateSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pipelineScript, Workplace } from './workplace.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace()
})
afterEach(() => place.remove())

/** Corrects a file and runs again. Where rows before the mistake were committed, goes on as the message says. */
async function mend(name: string, header: string, lines: string[], expected = ''): Promise<void> {
  place.write(name, `${header}${lines.join('\n')}\n`)
  const { code, stderr } = await place.run('job.ts')
  expect(stderr).toContain(expected)
  const read = /put what follows the first (\d+) rows/.exec(stderr)?.[1]
  expect(code).toBe(read === undefined ? 0 : 2)
  if (read === undefined) return
  const rest = `rest-${name}`
  place.write(rest, `${header}${lines.slice(Number(read)).join('\n')}\n`)
  const script = readFileSync(place.path('job.ts'), 'utf8')
  place.write('job.ts', script.replace(name, rest))
  expect((await place.run('job.ts')).code).toBe(0)
}

const good = 'name,age\nAda,36\nBob,12\nCleo,41\n'
const people = [
  { name: 'Ada', age: 36 },
  { name: 'Bob', age: 12 },
  { name: 'Cleo', age: 41 },
]

test.each([
  ['a missing field', 'name,age\nAda,36\nBob\nCleo,41\n', /line 3 \(byte 16\): 1 field where .* 2/],
  [
    'an open quote',
    'name,age\nAda,36\n"Bob,12\nCleo,41\n',
    /line 3 \(byte 16\): the quote .* ends/,
  ],
  ['a NUL byte', 'name,age\nAda,36\nB\0b,12\nCleo,41\n', /line 3 \(byte 17\): a NUL byte.*tr -d/],
  ['Latin-1', Buffer.from('name,age\nAda,36\nB\xf6b,12\n', 'latin1'), /line 3 \(byte 17\).*iconv/],
])(
  'CSV with %s names file, line and byte; once mended, all of it arrives',
  async (_, csv, words) => {
    place.write('people.csv', csv)
    place.write('job.ts', pipelineScript({ source: "csv<any>('people.csv')" }))
    const { code, stderr } = await place.run('job.ts')
    expect(stderr).toMatch(/people\.csv, line/)
    expect(stderr).toMatch(words)
    expect(stderr).toContain('[INPUT_MALFORMED]')
    expect(code).toBe(1)
    await mend('people.csv', 'name,age\n', good.split('\n').slice(1, -1))
    expect(await place.values('out')).toEqual(people)
  },
)

test.each([
  ['a line cut short', '{"name":"Ada","age":36}\n{"name":\n', /line 2 \(byte 24\): not valid JSON/],
  ['a line that is no object', '{"name":"Ada","age":36}\n[1]\n', /line 2 \(byte 24\).*an object/],
])(
  'NDJSON with %s names file, line and byte; once mended, all of it arrives',
  async (_, text, words) => {
    place.write('people.ndjson', text)
    place.write('job.ts', pipelineScript({ source: "ndjson<any>('people.ndjson')" }))
    const { code, stderr } = await place.run('job.ts')
    expect(stderr).toContain('people.ndjson, line')
    expect(stderr).toMatch(words)
    expect(code).toBe(1)
    await mend(
      'people.ndjson',
      '',
      people.map((person) => JSON.stringify(person)),
    )
    expect(await place.values('out')).toEqual(people)
  },
)

test('an integer past 2^53 in untyped JSON is refused by row and property, and passes with a schema', async () => {
  place.write('ids.ndjson', '{"id":1}\n{"id":9223372036854775808}\n')
  const source = "ndjson<any>('ids.ndjson')"
  place.write('job.ts', pipelineScript({ source }))
  const { code, stderr } = await place.run('job.ts')
  expect(stderr).toContain('row 2 of ndjson ids.ndjson')
  expect(stderr).toContain('$.id is the bigint 9223372036854775808')
  expect(stderr).toContain('give json() a schema')
  expect(code).toBe(1)
  const topic = 'value: json(z.object({ id: z.bigint() })) as any'
  const sink = "topic('out', { value: json(z.object({ id: z.bigint() })) as any })"
  place.write('job.ts', pipelineScript({ source, topic, sink }))
  expect((await place.run('job.ts')).code).toBe(0)
  const { stdout } = await place.millrace([
    'consume',
    'out',
    '--from-beginning',
    '-e',
    '-o',
    'value',
  ])
  expect(stdout).toBe('{"id":1}\n{"id":9223372036854775808}\n')
})

test.each([
  ['its end', -100, /cut short: its footer is missing at byte \d+/],
  ['almost everything', 60, /cut short/],
])(
  'a Parquet file without %s is refused by name; fetched again, it is read',
  async (_, size, words) => {
    const whole = fileURLToPath(
      new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')),
    )
    const bytes = readFileSync(whole).length
    copyFileSync(whole, place.path('flights.parquet'))
    truncateSync(place.path('flights.parquet'), size < 0 ? bytes + size : size)
    const source = "parquet<any>('flights.parquet')"
    place.write('job.ts', pipelineScript({ source }))
    const { code, stderr } = await place.run('job.ts')
    expect(stderr).toContain('flights.parquet')
    expect(stderr).toMatch(words)
    expect(stderr).toContain('Fetch the file again')
    expect(code).toBe(2)
    copyFileSync(whole, place.path('flights.parquet'))
    const again = await place.millrace(['run', 'job.ts'], {
      onceSaid: { text: /[1-9][\d. kM]* rows/, act: (kill) => kill('SIGINT') },
    })
    expect(again.stderr).toContain('the next run goes on from there')
    expect((await place.records('rows', ['-n', '1'])).length).toBe(1)
  },
)

test('a source file that is missing is named, and read once it is there', async () => {
  place.write('job.ts', pipelineScript({ source: "csv<any>('people.csv')" }))
  const { code, stderr } = await place.run('job.ts')
  expect(stderr).toContain('people.csv: no such file. Check the path.')
  expect(code).toBe(2)
  place.write('people.csv', good)
  expect((await place.run('job.ts')).code).toBe(0)
  expect(await place.values('out')).toEqual(people)
})

test('a file mended behind what was read is refused, and its rest goes on from another file', async () => {
  const rows = Array.from({ length: 60_000 }, (_, id) => ({ id }))
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`)
  place.write(
    'ids.ndjson',
    [...lines.slice(0, 59_000), '{"id":\n', ...lines.slice(59_000)].join(''),
  )
  place.write('job.ts', pipelineScript({ source: "ndjson<any>('ids.ndjson')" }))
  const broken = await place.run('job.ts')
  expect(broken.stderr).toContain('ids.ndjson, line 59001')
  expect(broken.code).toBe(1)
  await mend(
    'ids.ndjson',
    '',
    lines.map((line) => line.trimEnd()),
    'INPUT_CHANGED',
  )
  expect(await place.values('out')).toEqual(rows)
})
