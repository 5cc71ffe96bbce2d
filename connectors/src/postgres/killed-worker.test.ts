import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestDatabase } from './testing/test-database.ts'

let database: TestDatabase
const workers: ChildProcess[] = []
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL')
  await database.stop()
})

const script = new URL('./testing/counting-worker.ts', import.meta.url)
const rows = 200_000
const KILLS = 5

function start(): ChildProcess {
  const worker = fork(script, [database.url, 'numbers', String(rows)], { stdio: 'ignore' })
  workers.push(worker)
  return worker
}

function counted(): Promise<unknown[][]> {
  return database.rows('SELECT count(*)::int, count(DISTINCT id)::int, max(id) FROM numbers')
}

const lastRow = () => database.rows('SELECT max(id) FROM numbers')

/** Resolves once the worker has added rows, however slow the machine; with false when it has come to its end. */
async function isAtWork(worker: ChildProcess): Promise<boolean> {
  const [before] = await lastRow()
  for (;;) {
    if (worker.exitCode !== null) return false
    const [now] = await lastRow()
    if (now?.[0] !== before?.[0]) return true
    await sleep(2)
  }
}

test('a worker killed again and again, or frozen while another goes on, loses and doubles nothing', async () => {
  // Without any unique key, so that a doubled row would stay.
  await database.rows('CREATE TABLE numbers (id int)')
  const zombie = start()
  expect(await isAtWork(zombie)).toBe(true)
  zombie.kill('SIGSTOP')
  let kills = 0
  for (; kills < KILLS; kills++) {
    const victim = start()
    if (!(await isAtWork(victim))) break
    await sleep(randomInt(30))
    const exited = once(victim, 'exit')
    if (!victim.kill('SIGKILL')) break
    await exited
  }
  // The last ones may find little left to do.
  expect(kills).toBeGreaterThan(KILLS / 2)
  expect((await once(start(), 'exit'))[0]).toBe(0)
  expect(await counted()).toEqual([[rows, rows, rows - 1]])
  const ended = once(zombie, 'exit')
  zombie.kill('SIGCONT')
  await ended
  expect(await counted()).toEqual([[rows, rows, rows - 1]])
})
