import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { csv, json, ndjson, open, openDeadLetters, pipeline, run, topic } from 'millrace'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Kill, millrace, node } from '../cli/run-command.ts'
import { publishedIds } from './published.ts'

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-malformed-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const script = join(import.meta.dirname, 'orders-file.ts')

test('a bad line of a file becomes a dead letter, as it stands there, and the others go on', async () => {
  writeFileSync(join(cwd, 'orders.ndjson'), '{"id":0}\n{"id":\n{"id":1}\nrubbish\r\n{"id":2}')
  const failed = await node([script, '--quiet'], { cwd })
  expect(failed).toMatchObject({ code: 1 })
  expect(failed.stderr).toMatch(/orders\.ndjson, line 2 \(byte 9\): not valid JSON.*--on-error/s)
  const ended = await node([script, '--quiet', '--on-error', 'dead-letter'], { cwd })
  expect(ended).toMatchObject({ code: 3 })
  expect(await publishedIds(join(cwd, 'out'))).toEqual([0, 1, 2])
  const shown = await millrace(['dlq', 'show', 'orders-dead-letters'], { cwd })
  const letters = shown.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  const code = 'INPUT_MALFORMED'
  expect(letters).toMatchObject([
    { value: '{"id":', offset: 1, code, file: 'orders.ndjson', line: 2, byte: 9 },
    { value: 'rubbish', offset: 3, code, file: 'orders.ndjson', line: 4, byte: 25 },
  ])
  const again = await node([script, '--quiet', '--on-error', 'dead-letter'], { cwd })
  expect(again).toMatchObject({ code: 0 })
})

test('with skip, bad records of CSV are counted and passed over', async () => {
  const path = join(cwd, 'orders.csv')
  writeFileSync(path, 'id\n0\nx"y\n1\n2,3\n2\n')
  const orders = topic('orders', { value: json<{ id: number }>() })
  const read = pipeline('orders', ({ from }) => {
    from(csv<{ id: number }>(path)).to(orders)
    from(orders).to(ndjson.files(join(cwd, 'out')))
  })
  const log = await open(join(cwd, 'log'))
  try {
    expect(await run(read, { log, onError: 'skip' })).toMatchObject({ skipped: 2, deadLetters: 0 })
  } finally {
    await log.close()
  }
  expect(await publishedIds(join(cwd, 'out'))).toEqual([0, 1, 2])
})

test('killed while it reads, every good line is there once, and every bad one is a letter', async () => {
  const count = 20_000
  const isBad = (id: number): boolean => id % 7 === 3
  const pad = 'x'.repeat(200)
  const lines = Array.from({ length: count }, (_, id) =>
    isBad(id) ? `bad ${id} ${pad}` : JSON.stringify({ id, pad }),
  )
  writeFileSync(join(cwd, 'orders.ndjson'), lines.join('\n'))
  const live = (onStart: (kill: Kill) => void = () => {}) =>
    node([script, '--quiet', '--on-error', 'dead-letter'], { cwd, onStart })
  for (let kill = 0; kill < 3; kill += 1) {
    const before = bytesInLog()
    let watch: NodeJS.Timeout | undefined
    const ended = await live((signal) => {
      watch = setInterval(() => {
        if (bytesInLog() === before) return
        clearInterval(watch)
        setTimeout(() => signal('SIGKILL'), kill === 0 ? 0 : Math.random() * 200)
      }, 2)
    })
    clearInterval(watch)
    // Those after the first may come when all is done.
    if (kill === 0) expect(ended.code, ended.stderr).toBeNull()
  }
  const last = await live()
  expect([0, 3], last.stderr).toContain(last.code)
  const ids = Array.from({ length: count }, (_, id) => id)
  expect(await publishedIds(join(cwd, 'out'))).toEqual(ids.filter((id) => !isBad(id)))
  const log = await open(join(cwd, 'millrace-data'), { access: 'read-only' })
  try {
    const found: string[] = []
    for await (const letters of openDeadLetters(log, 'orders-dead-letters')) {
      found.push(...letters.map(({ value }) => Buffer.from(value ?? []).toString()))
    }
    expect(found).toEqual(lines.filter((line) => line.startsWith('bad')))
  } finally {
    await log.close()
  }
})

/** In the topic, so far. */
function bytesInLog(): number {
  const path = join(cwd, 'millrace-data/orders-0', `${'0'.repeat(20)}.log`)
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
