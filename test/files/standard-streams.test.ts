import { randomInt } from 'node:crypto'
import { spawn } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parquet } from '@millrace/connectors'
import { launcher, millrace, node } from '../cli/run-command.ts'
import { publishedFiles, publishedIds } from './published.ts'

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-streams-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const script = (name: string) => join(import.meta.dirname, name)
const lines = (start: number, end: number) =>
  Array.from({ length: end - start }, (_, i) => `${JSON.stringify({ id: start + i })}\n`).join('')
const ids = (count: number) => Array.from({ length: count }, (_, i) => i)

test('a pipe in and a pipe out: all that comes in goes out; a second run takes all of its own', async () => {
  const first = await node([script('pipe.ts'), '--quiet'], { cwd, stdin: lines(0, 5000) })
  expect(first.code, first.stderr).toBe(0)
  const second = await node([script('pipe.ts'), '--quiet'], { cwd, stdin: lines(5000, 5010) })
  expect(second.stdout.split('\n')[0]).toBe('id,double')
  const printed = (first.stdout + second.stdout).split('\n').filter((line) => /^\d/.test(line))
  expect(printed.map((line) => Number(line.split(',')[0])).toSorted((a, b) => a - b)).toEqual(
    ids(5010),
  )
})

test('with threads, which have no standard input, that is said', async () => {
  const words = [script('pipe.ts'), '--quiet', '--threads', '2']
  const { code, stderr } = await node(words, { cwd, stdin: lines(0, 5) })
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining('Leave --threads out') as string,
  })
})

test('whoever reads a pipeline may leave early', async () => {
  const ended = await node([script('pipe.ts'), '--quiet'], {
    cwd,
    stdin: lines(0, 200_000),
    closeStdoutEarly: true,
  })
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' })
})

test('bad input names its line, and what came before is kept', async () => {
  const ended = await node([script('pipe.ts'), '--quiet'], {
    cwd,
    stdin: `${lines(0, 2)}rubbish\n`,
  })
  expect(ended.code).toBe(1)
  expect(ended.stderr).toContain('standard input, line 3 (byte 18): not valid JSON')
  const zipped = await node([script('pipe.ts'), '--quiet'], {
    cwd,
    stdin: gzipSync('{}').toString('latin1'),
  })
  expect(zipped.code).not.toBe(0)
})

test('a log that rotates is followed by a pipeline that is killed and started again, each line once', async () => {
  const log = join(cwd, 'app.log')
  writeFileSync(log, lines(0, 20))
  let next = 20
  let writes = 0
  /** Follows until it has published what there is when the signal's time comes. */
  const follow = (signal: NodeJS.Signals, isTime: () => boolean | Promise<boolean>) =>
    node([script('follow.ts'), '--quiet'], {
      cwd,
      onStart: (kill) =>
        void (async () => {
          while (!(await isTime())) await sleep(20)
          kill(signal)
        })(),
    })
  const isPublished = async () => (await publishedIds(join(cwd, 'out'))).length >= next
  // A first run begins with the file that has the name; from then on nothing is left out.
  await follow('SIGINT', isPublished)
  const writer = setInterval(() => {
    appendFileSync(log, lines(next, next + 20))
    next += 20
    if (++writes % 25 !== 0) return
    renameSync(log, `${log}.${writes / 25}`)
    writeFileSync(log, '')
  }, 10)
  try {
    for (const _ of ['once', 'twice', 'three times']) {
      const before = publishedFiles(join(cwd, 'out')).length
      // Each life gets to work, however slow the machine, and then some way.
      await follow('SIGKILL', async () => {
        if (publishedFiles(join(cwd, 'out')).length === before) return false
        await sleep(randomInt(500))
        return true
      })
    }
  } finally {
    clearInterval(writer)
  }
  const last = await follow('SIGINT', isPublished)
  expect(last.code, last.stderr).toBe(130)
  const seen = await publishedIds(join(cwd, 'out'))
  const once = new Set(seen)
  const missing = ids(next).filter((id) => !once.has(id))
  expect({ twice: seen.length - once.size, missing: missing.slice(0, 3) }).toEqual({
    twice: 0,
    missing: [],
  })
  expect(once.size).toBe(next)
}, 600_000)

async function topicOf(name: string, json: readonly string[]): Promise<void> {
  await millrace(['topic', 'create', name], { cwd })
  await millrace(['produce', name], { cwd, stdin: `${json.join('\n')}\n` })
}

const all = ['--from-beginning', '--exit']

test('consume -o csv has the columns of all records up to the end', async () => {
  await topicOf('mixed', [
    '{"a":1,"b":"x,y"}',
    '{"a":null,"c":{"d":[1]}}',
    '12345678901234567890',
    'text',
  ])
  const { stdout } = await millrace(['consume', 'mixed', ...all, '-o', 'csv'], { cwd })
  expect(stdout).toBe(
    'a,b,c,value\n1,"x,y",,\n,,"{""d"":[1]}",\n,,,12345678901234567890\n,,,text\n',
  )
  const chosen = ['consume', 'mixed', ...all, '-o', 'csv', '--columns', 'b,a', '-n', '1']
  expect((await millrace(chosen, { cwd })).stdout).toBe('b,a\n"x,y",1\n')
})

test('consume -o csv without an end refuses a column that its header lacks, and says what to do', async () => {
  await topicOf('growing', ['{"a":1}'])
  const child = millrace(['consume', 'growing', '--from-beginning', '-n', '2', '-o', 'csv'], {
    cwd,
    oncePrinted: { text: /^a\n1\n/, act: () => void produceMore() },
  })
  const produceMore = () => millrace(['produce', 'growing'], { cwd, stdin: '{"a":2,"b":3}\n' })
  const { code, stdout, stderr } = await child
  expect({ code, stdout }).toEqual({ code: 2, stdout: 'a\n1\n' })
  expect(stderr).toContain('--columns a,b')
})

test('consume -o parquet writes a whole file, and refuses a group', async () => {
  await topicOf('numbers', ['{"n":1,"r":1}', '{"n":2,"r":1.5}', '{"n":3,"t":"x"}'])
  const path = join(cwd, 'numbers.parquet')
  const child = spawn(
    'bash',
    [
      '-c',
      `"${process.execPath}" "${launcher}" consume numbers ${all.join(' ')} -o parquet > "${path}"`,
    ],
    { cwd },
  )
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0)
  expect(readFileSync(path).subarray(-4).toString()).toBe('PAR1')
  const reader = await parquet<Record<string, unknown>>(path).open({
    position: undefined,
    signal: new AbortController().signal,
  })
  const rows: Record<string, unknown>[] = []
  for await (const batch of reader.batches()) rows.push(...batch.rows)
  await reader.close()
  expect(rows.map((row) => ({ ...row, n: Number(row['n']) }))).toEqual([
    { n: 1, r: 1, t: null },
    { n: 2, r: 1.5, t: null },
    { n: 3, r: null, t: 'x' },
  ])
  const grouped = await millrace(['consume', 'numbers', ...all, '-o', 'parquet', '-g', 'g'], {
    cwd,
  })
  expect(grouped.code).toBe(2)
})
