import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from '@millrace/core'
import { crc32c } from '@node-rs/crc32'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CommandOptions, millrace } from './run-command.ts'

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const here = (words: string[], options: CommandOptions = {}) => millrace(words, { cwd, ...options })

/** The objects of a command's JSON lines. */
async function rows(words: string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await here(words)
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('a topic is created, listed, described, altered, grown and deleted', async () => {
  const created = await here(['topic', 'create', 'flights', '-p', '3', '-c', 'retentionMs=7d'])
  expect(created).toMatchObject({ code: 0, stdout: '' })
  expect(await rows(['topic', 'list'])).toMatchObject([{ topic: 'flights', partitions: 3 }])
  await here(['topic', 'alter', 'flights', '-c', 'compression=zstd'])
  await here(['topic', 'add-partitions', 'flights', '5'])
  const [described] = await rows(['topic', 'describe', 'flights'])
  expect(described).toMatchObject({
    name: 'flights',
    config: { retentionMs: 604_800_000, compression: 'zstd' },
  })
  expect(described?.['partitions']).toHaveLength(5)
  expect(await here(['topic', 'delete', 'flights', '--yes'])).toMatchObject({ code: 0 })
  expect(await rows(['topic', 'list'])).toEqual([])
})

test('what is produced is consumed: keys, values, headers, in both directions', async () => {
  await here(['topic', 'create', 'flights'])
  const produced = await here(['produce', 'flights', '-K', ':'], {
    stdin: 'ORD:{"delay":12}\nJFK:plain text\r\n',
  })
  expect(produced).toMatchObject({ code: 0, stdout: '' })
  const first = await rows(['consume', 'flights', '--from-beginning', '-n', '2', '-o', 'json'])
  expect(first).toMatchObject([
    { topic: 'flights', partition: 0, offset: 0, key: 'ORD', value: { delay: 12 } },
    { topic: 'flights', partition: 0, offset: 1, key: 'JFK', value: 'plain text' },
  ])
  await here(['topic', 'create', 'copy'])
  const stdin = first.map((record) =>
    JSON.stringify({ ...record, headers: [{ key: 'a', value: 'b' }] }),
  )
  await here(['produce', 'copy', '-i', 'json'], { stdin: stdin.join('\n') })
  const again = await rows(['consume', 'copy', '--from-beginning', '--exit'])
  expect(again).toMatchObject(
    first.map(({ key, value, timestampMs }) => ({
      key,
      value,
      timestampMs,
      headers: [{ key: 'a', value: 'b' }],
    })),
  )
})

test('a group goes on after what was printed for it, also in the middle of a batch', async () => {
  await here(['topic', 'create', 'numbers', '-p', '2'])
  await here(['produce', 'numbers', '-p', '1'], { stdin: '1\n2\n3\n4\n5\n' })
  const words = [
    'consume',
    'numbers',
    '--group',
    'readers',
    '--from-beginning',
    '--exit',
    '-o',
    'value',
  ]
  expect((await here([...words, '-n', '2'])).stdout).toBe('1\n2\n')
  expect(await rows(['group', 'describe', 'readers'])).toMatchObject([
    { partition: 1, offset: 2, lag: 3 },
  ])
  expect((await here(words)).stdout).toBe('3\n4\n5\n')
  expect((await here(words)).stdout).toBe('')
  expect(await rows(['group', 'list'])).toMatchObject([{ group: 'readers', topics: 'numbers' }])
  const { code, stderr } = await here(['group', 'describe', 'raeders'])
  expect(code).toBe(2)
  expect(stderr).toContain('Did you mean "readers"?')
})

test('reading starts where it is told to', async () => {
  await here(['topic', 'create', 'numbers'])
  const stdin = [1, 2, 3, 4].map((n) =>
    JSON.stringify({ value: `${n}`, timestampMs: Date.UTC(2001, 0, n) }),
  )
  await here(['produce', 'numbers', '-i', 'json'], { stdin: stdin.join('\n') })
  const from = async (...words: string[]) =>
    (await here(['consume', 'numbers', '--exit', '-o', 'value', ...words])).stdout
  expect(await from('--offset', '1')).toBe('2\n3\n4\n')
  expect(await from('--offset', '-1')).toBe('4\n')
  expect(await from('--offset', '2001-01-03')).toBe('3\n4\n')
  expect(await from('--from-beginning', '-n', '1')).toBe('1\n')
  expect(await from()).toBe('')
  expect((await here(['consume', 'numbers', '--partition', '7'])).code).toBe(2)
})

test('a line that is no record ends with 2 and names its number', async () => {
  await here(['topic', 'create', 'flights'])
  const { code, stderr } = await here(['produce', 'flights', '-i', 'json'], {
    stdin: '{}\n{"key":\n',
  })
  expect(code).toBe(2)
  expect(stderr).toContain('Line 2')
  expect(await rows(['consume', 'flights', '--from-beginning', '--exit'])).toHaveLength(1)
})

test('a topic that is not there ends with 2 and offers the nearest', async () => {
  await here(['topic', 'create', 'flights'])
  for (const words of [
    ['topic', 'describe', 'flihgts'],
    ['consume', 'flihgts'],
    ['produce', 'flihgts'],
  ]) {
    const { code, stderr, stdout } = await here(words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('Did you mean "flights"?')
    expect(stderr).toContain('[TOPIC_NOT_FOUND]')
    expect(stderr).not.toContain('    at ')
  }
})

test('beside a running writer a reader reads, and a second writer ends with 4 and is told who owns it', async () => {
  await here(['topic', 'create', 'flights'])
  await here(['produce', 'flights'], { stdin: 'one\n' })
  const log = await open(join(cwd, 'millrace-data'))
  try {
    const { code, stderr } = await here(['produce', 'flights'], { stdin: 'two\n' })
    expect(code).toBe(4)
    expect(stderr).toContain('[DATA_DIRECTORY_IN_USE]')
    expect(stderr).toContain(String(process.pid))
    const records = await rows(['consume', 'flights', '--from-beginning', '--exit'])
    expect(records.map(({ value }) => value)).toEqual(['one'])
  } finally {
    await log.close()
  }
})

test('a data directory of a newer version ends with 1, untouched', async () => {
  await here(['topic', 'create', 'flights'])
  const path = join(cwd, 'millrace-data/meta.json')
  const json = readFileSync(path, 'utf8')
    .replace(/^.*\n/, '')
    .replace('"minReader": 1', '"minReader": 99')
  const meta = `crc32c ${crc32c(json).toString(16).padStart(8, '0')}\n${json}`
  writeFileSync(path, meta)
  const { code, stderr } = await here(['topic', 'list'])
  expect(code).toBe(1)
  expect(stderr).toContain('[FORMAT_TOO_NEW]')
  expect(readFileSync(path, 'utf8')).toBe(meta)
})

test('verify names file and position of a damaged byte and ends with 1', async () => {
  await here(['topic', 'create', 'flights'])
  await here(['produce', 'flights'], { stdin: 'one\ntwo\nthree\n' })
  expect(await here(['log', 'verify'])).toMatchObject({ code: 0, stdout: '' })
  const [segment = ''] = readdirSync(join(cwd, 'millrace-data/flights-0')).filter((file) =>
    file.endsWith('.log'),
  )
  const path = join(cwd, 'millrace-data/flights-0', segment)
  const bytes = readFileSync(path)
  bytes[70] = (bytes[70] ?? 0) ^ 1
  writeFileSync(path, bytes)
  const { code, stdout, stderr } = await here(['log', 'verify'])
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ kind: 'corruption', position: 0 })
  expect(stdout).toContain(segment)
  expect(stderr).toContain('1 fault')
  expect(stderr).toMatch(/Put copies of the files named.*or read past the\s+damage/)
  expect(readFileSync(path)).toEqual(bytes)
})

test('a log is described: its identity, its size', async () => {
  await here(['topic', 'create', 'flights', '-p', '2'])
  expect(await rows(['log', 'describe'])).toMatchObject([{ topics: 1, partitions: 2, damaged: 0 }])
})

test('without a log yet, reading commands say so and make none', async () => {
  const { code, stderr } = await here(['topic', 'list', '--log', './nowhere'])
  expect(code).toBe(2)
  expect(stderr).toContain('nowhere')
})

test('MILLRACE_LOG says where the log is', async () => {
  const env = { MILLRACE_LOG: join(cwd, 'elsewhere') }
  await here(['topic', 'create', 'flights'], { env })
  expect(await rows(['topic', 'list', '--log', './elsewhere'])).toMatchObject([
    { topic: 'flights' },
  ])
})

test('whoever reads our output may leave early', async () => {
  await here(['topic', 'create', 'numbers'])
  const stdin = Array.from({ length: 50_000 }, (_, n) => `${n}`).join('\n')
  await here(['produce', 'numbers'], { stdin })
  const { code, stderr } = await here(
    ['consume', 'numbers', '--from-beginning', '--exit', '-o', 'value'],
    {
      closeStdoutEarly: true,
    },
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
