import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Kill, node } from '../cli/run-command.ts'
import { leftovers, publishedFiles, publishedIds } from './published.ts'

const ORDERS = 12_000
const script = join(import.meta.dirname, 'orders.ts')

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-zombie-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const ids = Array.from({ length: ORDERS }, (_, id) => id)

test('a frozen process that wakes after its successor ended publishes nothing more', async () => {
  let signal: Kill = () => {}
  const frozen = node([script, '--quiet'], {
    cwd,
    env: { ORDERS: String(ORDERS), RATE: '3000' },
    onStart: (kill) => (signal = kill),
  })
  while (publishedFiles(join(cwd, 'out')).length < 10) await sleep(5)
  signal('SIGSTOP')
  await sleep(50)
  // Its data directory is locked as long as it lives; somebody takes a copy of it over.
  cpSync(join(cwd, 'millrace-data'), join(cwd, 'copy'), { recursive: true })
  const env = { ORDERS: String(ORDERS) }
  const successor = await node([script, '--quiet', '--log', 'copy'], { cwd, env })
  expect(successor.code, successor.stderr).toBe(0)
  const files = publishedFiles(join(cwd, 'out'))
  expect(await publishedIds(join(cwd, 'out/ndjson'))).toEqual(ids)
  signal('SIGCONT')
  const woken = await frozen
  expect(woken.code).toBe(1)
  expect(woken.stderr).toContain('SINK_FENCED')
  expect(publishedFiles(join(cwd, 'out'))).toEqual(files)
  expect(await publishedIds(join(cwd, 'out/parquet'))).toEqual(ids)
  // What it was writing when it was refused is cleared away by whoever claims next.
  expect(await node([script, '--quiet', '--log', 'copy'], { cwd, env })).toMatchObject({ code: 0 })
  expect(leftovers(join(cwd, 'out'))).toEqual([])
  expect(publishedFiles(join(cwd, 'out'))).toEqual(files)
  expect(readdirSync(join(cwd, 'out')).toSorted()).toEqual(['csv', 'ndjson', 'parquet'])
})
