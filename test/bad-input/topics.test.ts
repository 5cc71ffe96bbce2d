import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { open } from '@millrace/core'
import { crc32c } from '@node-rs/crc32'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { launcher, runCommand } from '../cli/run-command.ts'
import { whyNoSmallDisk } from '../faults/small-disk.ts'
import { pipelineScript, Workplace } from './workplace.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace()
})
afterEach(() => place.remove())

test('bytes in a topic that are no JSON are named by partition and offset, and pass by as dead letters', async () => {
  await place.millrace(['topic', 'create', 'rows'])
  const stdin = Buffer.concat([Buffer.from('{"n":1}\nnot json\n{"n":3}\n')]).toString()
  await place.millrace(['produce', 'rows'], { stdin })
  place.write('job.ts', pipelineScript({}))
  const { code, stderr } = await place.run('job.ts')
  expect(stderr).toContain('the record rows[0]@1 cannot be read')
  expect(stderr).toContain('"not json" is not valid JSON')
  expect(stderr).toContain('--on-error')
  expect(code).toBe(1)
  expect(await place.values('out')).toEqual([])
  const passed = await place.run('job.ts', ['--on-error', 'dead-letter'])
  expect(passed.code).toBe(3)
  expect(passed.stderr).toContain('millrace dlq show job-dead-letters')
  expect(await place.values('out')).toEqual([{ n: 1 }, { n: 3 }])
  expect(await place.values('job-dead-letters')).toEqual(['not json'])
})

test('a value that is not what its schema says is named by property, from a file and in a topic', async () => {
  const topic = 'value: json(z.object({ n: z.number(), s: z.string() })) as any'
  place.write('rows.ndjson', '{"n":1,"s":"a"}\n{"n":"two","s":"b"}\n')
  place.write('job.ts', pipelineScript({ source: "ndjson<any>('rows.ndjson')", topic }))
  const ingested = await place.run('job.ts')
  expect(ingested.stderr).toContain('row 2 of ndjson rows.ndjson')
  expect(ingested.stderr).toContain('$.n is the string "two", not a finite number')
  expect(ingested.code).toBe(1)
  await place.millrace(['produce', 'rows'], { stdin: '{"n":1,"s":"a"}\n{"n":2}\n' })
  place.write('job.ts', pipelineScript({ topic }))
  const read = await place.run('job.ts')
  expect(read.stderr).toContain('rows[0]@1 cannot be read')
  expect(read.stderr).toContain('$.s is undefined, not a string')
  expect(read.code).toBe(1)
  expect((await place.run('job.ts', ['--on-error', 'skip'])).code).toBe(3)
  expect(await place.values('out')).toEqual([{ n: 1, s: 'a' }])
})

test('a time that is none is named by row and property', async () => {
  place.write('rows.ndjson', '{"at":"2001-01-01"}\n{"at":"2001-13-45"}\n{}\n')
  const topic = "value: json<any>(), time: 'at'"
  place.write('job.ts', pipelineScript({ source: "ndjson<any>('rows.ndjson')", topic }))
  const { code, stderr } = await place.run('job.ts')
  expect(stderr).toContain('row 2 of ndjson rows.ndjson')
  expect(stderr).toContain('property "at" gave 2001-13-45')
  expect(code).toBe(1)
  expect((await place.run('job.ts', ['--on-error', 'dead-letter'])).code).toBe(3)
  expect(await place.values('rows')).toEqual([{ at: '2001-01-01' }])
  expect(await place.values('job-dead-letters')).toEqual([{ at: '2001-13-45' }, {}])
})

test('NaN and an invalid date are refused, not turned into null', async () => {
  place.write('rows.ndjson', '{"n":1}\n{"n":0}\n')
  const source = "ndjson<any>('rows.ndjson')"
  for (const [made, named] of [
    ['{ n: 1 / r.n === 1 ? 1 : NaN }', '$.n'],
    ['{ at: r.n === 1 ? new Date(0) : new Date(NaN) }', '$.at'],
  ] as const) {
    const name = `job-${named.slice(2)}`
    place.write('job.ts', pipelineScript({ source, name, step: `map((r: any) => (${made}))` }))
    const { code, stderr } = await place.run('job.ts')
    expect(stderr).toContain('rows[0]@1')
    expect(stderr).toContain(named)
    expect(code).toBe(1)
  }
})

test('records without the key that a step groups by are counted and told', async () => {
  place.write('rows.ndjson', '{"n":1}\n{"s":"b"}\n{"n":1}\n')
  const step = "keyBy('n' as never), aggregate({ c: count() })"
  place.write('job.ts', pipelineScript({ source: "ndjson<any>('rows.ndjson')", step }))
  const { code, stderr } = await place.run('job.ts')
  expect(code).toBe(0)
  expect(stderr).toContain('1 record without the key')
  expect(await place.values('rows')).toHaveLength(3)
})

const large = 'x'.repeat(1_100_000)

test('a row too large for its topic is named, and the others arrive beside its dead letter', async () => {
  place.write('rows.ndjson', `{"n":1}\n{"n":2,"s":"${large}"}\n{"n":3}\n`)
  place.write('job.ts', pipelineScript({ source: "ndjson<any>('rows.ndjson')" }))
  const { code, stderr } = await place.run('job.ts')
  expect(stderr).toContain('row 2 of ndjson rows.ndjson')
  expect(stderr).toContain('maxMessageBytes')
  expect(stderr).toContain('[RECORD_TOO_LARGE]')
  expect(code).toBe(1)
  expect((await place.run('job.ts', ['--on-error', 'dead-letter'])).code).toBe(3)
  expect(await place.values('out')).toEqual([{ n: 1 }, { n: 3 }])
  expect(await place.values('job-dead-letters')).toEqual([{ n: 2, s: large }])
})

test.each([
  ['no JSON', '{"value":', 'it is not JSON', 2],
  ['of a field that no record has', '{"vlaue":1}', 'Did you mean "value"?', 2],
  ['of a time before 1970', '{"value":1,"timestampMs":-5}', 'milliseconds since 1970', 2],
  ['too large', `{"value":"${large}"}`, 'maxMessageBytes=', 1],
])('produce names a line %s and says where to go on', async (_, line, words, exit) => {
  await place.millrace(['topic', 'create', 'rows'])
  const lines = ['{"value":{"n":1}}', line, '{"value":{"n":3}}']
  const { code, stderr } = await place.millrace(['produce', 'rows', '-i', 'json'], {
    stdin: lines.join('\n'),
  })
  expect(stderr).toContain('Line 2 of standard input')
  expect(stderr).toContain(words)
  expect(stderr).toContain('Line 1 was appended, and nothing after: go on with line 2.')
  expect(code).toBe(exit)
  expect(await place.values('rows')).toEqual([{ n: 1 }])
})

test('a topic that is not there is told with the nearest that is', async () => {
  await place.millrace(['topic', 'create', 'flights'])
  for (const command of ['produce', 'consume']) {
    const { code, stderr } = await place.millrace([command, 'flihgts'])
    expect(stderr).toContain('flihgts')
    expect(stderr).toContain('Did you mean "flights"?')
    expect(code).toBe(2)
  }
})

test('a topic with another number of partitions than last time is refused where state depends on it', async () => {
  place.write('rows.ndjson', '{"n":1}\n{"n":2}\n')
  const parts = {
    source: "ndjson<any>('rows.ndjson')",
    step: "keyBy('n' as never), aggregate({ c: count() })",
  }
  place.write('job.ts', pipelineScript({ ...parts, topic: 'value: json<any>(), partitions: 2' }))
  expect((await place.run('job.ts')).code).toBe(0)
  await place.millrace(['topic', 'add-partitions', 'rows', '3'])
  const declared = await place.run('job.ts')
  expect(declared.stderr).toContain('The topic rows has 3 partitions, the pipeline needs 2.')
  expect(declared.stderr).toContain('Declare partitions: 3')
  expect(declared.code).toBe(2)
  place.write('job.ts', pipelineScript({ ...parts, topic: 'value: json<any>(), partitions: 3' }))
  const kept = await place.run('job.ts')
  expect(kept.stderr).toContain('[TOPOLOGY_CHANGED]')
  expect(kept.stderr).toContain('under another name')
  expect(kept.code).toBe(2)
  const renamed = {
    ...parts,
    name: 'again',
    topic: 'value: json<any>(), partitions: 3',
    sink: "topic('out2', { value: json<any>() })",
  }
  place.write('job.ts', pipelineScript({ ...renamed, source: undefined as never }))
  expect((await place.run('job.ts')).code).toBe(0)
  expect(await place.values('out2')).toEqual([{ c: 1 }, { c: 1 }])
})

test('a second writer is told who has the data directory, ends with 4, and gets in afterwards', async () => {
  place.write('rows.ndjson', '{"n":1}\n')
  place.write('job.ts', pipelineScript({ source: "ndjson<any>('rows.ndjson')" }))
  const log = await open(place.path('millrace-data'))
  try {
    const { code, stderr } = await place.run('job.ts')
    expect(stderr).toContain('[DATA_DIRECTORY_IN_USE]')
    expect(stderr).toContain(`process ${process.pid}`)
    expect(stderr).toContain('Stop that process first')
    expect(code).toBe(4)
  } finally {
    await log.close()
  }
  expect((await place.run('job.ts')).code).toBe(0)
  expect(await place.values('out')).toEqual([{ n: 1 }])
})

test('a data directory of a newer version is refused untouched, and read by who knows it', async () => {
  await place.millrace(['topic', 'create', 'rows'])
  await place.millrace(['produce', 'rows'], { stdin: '{"n":1}\n' })
  place.write('job.ts', pipelineScript({}))
  const meta = readFileSync(place.path('millrace-data/meta.json'), 'utf8')
  const json = meta.replace(/^.*\n/, '').replace('"minReader": 1', '"minReader": 99')
  place.write(
    'millrace-data/meta.json',
    `crc32c ${crc32c(json).toString(16).padStart(8, '0')}\n${json}`,
  )
  const files = readdirSync(place.path('millrace-data')).toSorted()
  const { code, stderr } = await place.run('job.ts')
  expect(stderr).toContain('millrace-data was written by a newer Millrace')
  expect(stderr).toContain('use the newer version')
  expect(code).toBe(1)
  expect(readdirSync(place.path('millrace-data')).toSorted()).toEqual(files)
  place.write('millrace-data/meta.json', meta)
  expect((await place.run('job.ts')).code).toBe(0)
  expect(await place.values('out')).toEqual([{ n: 1 }])
})

test('a file where the log should be is named', async () => {
  place.write('afile', 'x')
  place.write('job.ts', pipelineScript({}))
  for (const words of [
    ['run', 'job.ts'],
    ['topic', 'list'],
  ]) {
    const { code, stderr } = await place.millrace([...words, '--log', 'afile'])
    expect(stderr).toContain('afile')
    expect(stderr).toMatch(/give (a|another) directory/i)
    expect(code).toBe(2)
  }
})

const noDisk = await whyNoSmallDisk()
if (noDisk !== undefined) console.warn(`No disk is filled here: ${noDisk}.`)

// The mount is seen by this one shell and its children, and goes with it. What takes up the room goes when asked.
const onSmallDisk = `
  mount -t tmpfs -o size=64m none disk && head -c 61m /dev/zero > disk/ballast || exit 99
  { until [ -e make-room ]; do sleep 0.1; done; rm disk/ballast; } &
  "$0" "$1" run job.ts --log disk/log &&
  "$0" "$1" consume out --from-beginning --exit -o value --log disk/log
  code=$?; touch make-room; exit $code`

test.skipIf(noDisk !== undefined)(
  'a full disk makes a run wait, which goes on by itself once there is room',
  async () => {
    mkdirSync(place.path('disk'))
    const rows = 40_000
    const lines = Array.from(
      { length: rows },
      (_, n) => `{"n":${n},"s":"${'some text '.repeat(10)}"}\n`,
    )
    place.write('rows.ndjson', lines.join(''))
    place.write(
      'job.ts',
      pipelineScript({
        source: "ndjson<any>('rows.ndjson')",
        step: 'map(({ n }: any) => ({ n }))',
      }),
    )
    const words = ['--map-root-user', '--mount', 'sh', '-c', onSmallDisk]
    const { code, stdout, stderr } = await runCommand(
      'unshare',
      [...words, process.execPath, launcher],
      {
        cwd: place.directory,
        onceSaid: { text: /disk\/log is full/, act: () => place.write('make-room', '') },
      },
    )
    expect(stderr).toMatch(/[Ff]ree some space/)
    expect(code, stderr).toBe(0)
    const values = stdout.trim().split('\n')
    expect(values).toEqual(Array.from({ length: rows }, (_, n) => `{"n":${n}}`))
  },
)
