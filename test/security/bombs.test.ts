import { BatchWriter, open, Producer } from '@millrace/core'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { closeSync, openSync, writeSync } from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pipelineScript, Workplace } from '../bad-input/workplace.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace()
})
afterEach(() => place.remove())

const MIB = 1024 * 1024
// A process that tried to hold what these inputs unfold to would die of this limit.
const env = { NODE_OPTIONS: '--max-old-space-size=192' }

async function refused(source: string, words: RegExp): Promise<void> {
  place.write('job.ts', pipelineScript({ source }))
  const ended = await place.run('job.ts', [], { env })
  expect(ended.stderr).toMatch(words)
  expect([1, 2]).toContain(ended.code)
  const log = await open(place.path('millrace-data'), { access: 'read-only' })
  const { partitions } = await log.describeTopic('rows')
  await log.close()
  expect(partitions.map(({ highWatermark }) => highWatermark)).toEqual([0])
}

/** A gzip or zstd file that unfolds to `head` and 512 MiB of x, a thousand times its size. */
function bomb(name: string, head: string): void {
  const compress = name.endsWith('.gz') ? gzipSync : zstdCompressSync
  const file = openSync(place.path(name), 'w')
  writeSync(file, compress(head))
  // Members of one file follow each other.
  const member = compress(Buffer.alloc(64 * MIB, 'x'))
  for (let i = 0; i < 8; i += 1) writeSync(file, member)
  closeSync(file)
}

test('a quoted field that never ends is refused at its limit, not read to its end', async () => {
  bomb('bomb.csv.gz', 'id,name\n1,"')
  await refused(
    "csv('bomb.csv.gz')",
    /bomb\.csv\.gz, line 2 .* is not closed within 16777216 bytes/,
  )
})

test('a line that never ends is refused at its limit, not read to its end', async () => {
  bomb('bomb.ndjson.gz', '{"a":"')
  await refused(
    "ndjson('bomb.ndjson.gz')",
    /bomb\.ndjson\.gz, line 1 .* longer than 16777216 bytes/,
  )
})

test('a header of 200,000 columns is refused', async () => {
  const names = Array.from({ length: 200_000 }, (_, i) => `c${i}`)
  place.write('wide.csv', `${names.join(',')}\n${names.join(',')}\n`)
  await refused("csv('wide.csv')", /wide\.csv: it has 200000 columns, and at most 10000 are read/)
})

test('a Parquet page that claims more than a page holds is refused before memory is taken', async () => {
  const rows = 2 ** 26
  // One value, said once and repeated 67 million times: some hundred bytes.
  const file = Buffer.from(
    parquetWriteBuffer({
      columnData: [{ name: 'n', data: new Int32Array(1), type: 'INT32' }],
      codec: 'UNCOMPRESSED',
    }),
  )
  place.write('bomb.parquet', claimRows(file, rows))
  place.write('job.ts', pipelineScript({ source: "parquet('bomb.parquet')" }))
  const ended = await place.run('job.ts', [], { env })
  expect(ended.stderr).toMatch(/bomb\.parquet.*claims \d+ values in/s)
  expect(ended.code).toBe(1)
})

/** Rewrites the one page's header so that it claims `rows` values. */
function claimRows(file: Buffer, rows: number): Buffer {
  // PageHeader in Thrift's compact form: field 5 is a DataPageHeader whose field 1 is num_values.
  const at = file.indexOf(Buffer.from([0x15, 0x02]), 8)
  expect(at).toBeGreaterThan(0)
  const count: number[] = []
  for (let rest = rows * 2; rest > 0; rest = Math.floor(rest / 128)) {
    count.push((rest % 128) | (rest >= 128 ? 128 : 0))
  }
  return Buffer.concat([file.subarray(0, at + 1), Buffer.from(count), file.subarray(at + 2)])
}

test('no batch can be written that unfolds beyond what readers take', async () => {
  const log = await open(place.path('log'))
  const tooLarge = log.createTopic({ name: 'bombs', config: { maxMessageBytes: 64 * MIB + 1 } })
  await expect(tooLarge).rejects.toMatchObject({ code: 'USAGE' })
  await log.createTopic({ name: 'bombs', config: { maxMessageBytes: 64 * MIB } })
  for (const compression of ['gzip', 'zstd', 'lz4', 'snappy'] as const) {
    const producer = new Producer(log, { compression, batchBytes: 128 * MIB })
    const sent = producer.send({ topic: 'bombs', value: Buffer.alloc(80 * MIB, 'x') })
    await expect(sent).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
    await producer.close()
  }
  await log.close()
})

test('a batch of another client that unfolds beyond what readers take is refused in words', async () => {
  const log = await open(place.path('millrace-data'))
  await log.createTopic({ name: 'bombs' })
  // What a client without our limit writes: 80 MiB of one letter in some kilobytes.
  const batch = new BatchWriter()
  batch.append(null, Buffer.alloc(80 * MIB, 'x'), 0)
  await log.append({ topic: 'bombs', partition: 0, batch: batch.finish({ compression: 'zstd' }) })
  await log.close()
  const { code, stderr } = await place.millrace(
    ['consume', 'bombs', '--from-beginning', '--exit'],
    { env },
  )
  expect(stderr).toMatch(/zstd data cannot be decompressed \(at most 67108864 bytes allowed\)/)
  expect(code).toBe(1)
})

const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

test('JSON of depth 100,000 is a record like any other, or refused in words with its place', async () => {
  place.write('deep.ndjson', `{"n":1,"a":${deep(100_000)}}\n{"n":2}\n`)
  place.write('exact.ndjson', `{"n":12345678901234567890,"a":${deep(100_000)}}\n`)
  await place.millrace(['topic', 'create', 'raw'])
  for (const file of ['deep.ndjson', 'exact.ndjson']) {
    const { code, stderr } = await place.millrace(['produce', 'raw'], {
      stdin: `{"n":1,"a":${deep(100_000)}}\n`,
    })
    expect({ code, crash: /RangeError|at .*\.ts:/.test(stderr) }).toEqual({ code: 0, crash: false })
    place.write(
      'job.ts',
      pipelineScript({ source: `ndjson<any>('${file}')`, name: file.slice(0, 4) }),
    )
    const ran = await place.run('job.ts')
    expect(ran.stderr).toMatch(/(row|line) 1 .*\[(RECORD_INVALID|INPUT_MALFORMED)\]/)
    expect(ran.stderr).not.toMatch(/at .*\.ts:\d/)
    expect(ran.code).toBe(1)
  }
  const { code, stdout, stderr } = await place.millrace([
    'consume',
    'raw',
    '--from-beginning',
    '--exit',
  ])
  expect({ code, stderr, lines: stdout.split('\n').length - 1 }).toEqual({
    code: 0,
    stderr: '',
    lines: 2,
  })
})

test('__proto__ and its kin are keys like any other, from file to output, and change no object', async () => {
  const line =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"t","n":1}'
  place.write('proto.ndjson', `${line}\n`)
  place.write('proto.csv', 'n,__proto__,constructor,hasOwnProperty\n1,a,b,c\n')
  place.write(
    'job.ts',
    `
import { aggregate, console, count, csv, json, keyBy, map, ndjson, pipeline, topic } from 'millrace'
const lines = topic('lines', { value: json<any>() })
const table = topic('table', { value: json<any>() })
export default pipeline('proto', ({ from }) => {
  from(ndjson<any>('proto.ndjson')).to(lines)
  from(csv('proto.csv')).to(table)
  from(lines).to(console({ name: 'a' }))
  from(table).to(console({ name: 'b' }))
  from(lines)
    .pipe(map(() => ({ word: '__proto__' })), keyBy('word'), aggregate({ constructor: count() }))
    .to(console({ name: 'c' }))
})
process.on('exit', () => {
  if (({} as any).polluted !== undefined) process.exitCode = 99
})
`,
  )
  const ended = await place.run('job.ts')
  expect(ended.code).toBe(0)
  expect(ended.stdout.trim().split('\n').toSorted()).toEqual([
    line,
    '{"n":1,"__proto__":"a","constructor":"b","hasOwnProperty":"c"}',
    '{"word":"__proto__","constructor":1}',
  ])
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})
