import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
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

function start(): ChildProcess {
  const worker = fork(script, [database.url, 'numbers', String(rows)], { stdio: 'ignore' })
  workers.push(worker)
  return worker
}

function counted(): Promise<unknown[][]> {
  return database.rows('SELECT count(*)::int, count(DISTINCT id)::int, max(id) FROM numbers')
}

test('a worker killed again and again, or frozen while another goes on, loses and doubles nothing', async () => {
  // Without any unique key, so that a doubled row would stay.
  await database.rows('CREATE TABLE numbers (id int)')
  const zombie = start()
  await sleep(700)
  zombie.kill('SIGSTOP')
  for (let afterMs = 400; afterMs < 700; afterMs += 60) {
    const victim = start()
    await sleep(afterMs)
    if (!victim.kill('SIGKILL')) continue
    await once(victim, 'exit')
  }
  expect((await once(start(), 'exit'))[0]).toBe(0)
  expect(await counted()).toEqual([[rows, rows, rows - 1]])
  const ended = once(zombie, 'exit')
  zombie.kill('SIGCONT')
  await ended
  expect(await counted()).toEqual([[rows, rows, rows - 1]])
})
