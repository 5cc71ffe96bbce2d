import { cpSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { millrace } from '../cli/run-command.ts'
import { expectDocumented } from './documented.ts'
import { FaultServer } from './fault-server.ts'
import { type Ended, records, type Run, Workshop } from './loads.ts'

const way = 'run append'
let server: FaultServer
let shop: Workshop
beforeAll(async () => {
  server = await FaultServer.start()
  shop = new Workshop(`${server.directory}/shop`)
})
afterAll(() => server.stop())

/** A pipeline that has filled its table, and the path of its log. */
async function filled(): Promise<{ table: string; log: string; copy: string }> {
  const table = await shop.table(server, way)
  expect(await run(table)).toMatchObject({ code: 0 })
  return { table, log: directory(`log-${table}`), copy: directory(`copy-${table}`) }
}

const directory = (name: string): string => join(shop.directory, name)

function run(table: string, log = `log-${table}`, more: readonly string[] = []): Promise<Ended> {
  return start(table, log, more).ended
}

function start(table: string, log: string, more: readonly string[]): Run {
  return shop.start(way, table, server.url, {}, ['--log', log, ...more])
}

/** Writes one record to a log. */
async function produce(log: string, n: number): Promise<void> {
  const value = JSON.stringify({ id: 7, n, name: 'later' })
  const { code } = await millrace(['produce', 'rows', '--log', log], { stdin: `${value}\n` })
  expect(code).toBe(0)
}

async function later(table: string): Promise<unknown[]> {
  const [[count] = []] = await server.query(`SELECT count(*)::int FROM ${table}`)
  const rows = await server.query(`SELECT n FROM ${table} WHERE name = 'later' ORDER BY n`)
  expect(count).toBe(records + rows.length)
  return rows.map(([n]) => n)
}

test('a copy of a log is refused once the log has gone on, and what it holds never mixes', async () => {
  const { table, log, copy } = await filled()
  cpSync(log, copy, { recursive: true })
  for (const n of [-1, -2]) await produce(log, n)
  // More records than the other has, so that its position would lie in the middle of them.
  for (const n of [-10, -11, -12, -13]) await produce(copy, n)
  expect(await run(table)).toMatchObject({ code: 0 })
  for (let again = 0; again < 2; again += 1) {
    const refused = await run(table, copy)
    expect(refused).toMatchObject({ code: 2 })
    expectDocumented('the log is a copy', refused.said)
  }
  expect(await later(table)).toEqual([-2, -1])
  await produce(log, -3)
  expect(await run(table)).toMatchObject({ code: 0 })
  expect(await later(table)).toEqual([-3, -2, -1])
})

test('a copy that starts while the log is in use is refused, and disturbs nobody', async () => {
  const { table, log, copy } = await filled()
  cpSync(log, copy, { recursive: true })
  const first = start(table, log, ['--follow'])
  const claims = `SELECT claim::int FROM millrace_fence WHERE sink = 'postgres ${table}'`
  const [[before] = []] = await server.query(claims)
  await expect
    .poll(async () => (await server.query(claims))[0]?.[0], { timeout: 120_000 })
    .not.toBe(before)
  expect(await run(table, copy)).toMatchObject({ code: 2 })
  first.kill('SIGINT')
  expect(await first.ended).toMatchObject({ code: 130 })
  expect(await later(table)).toEqual([])
})

test('a log that was moved, by copying even, goes on', async () => {
  const { table, log, copy } = await filled()
  cpSync(log, copy, { recursive: true })
  rmSync(log, { recursive: true })
  await produce(copy, -1)
  expect(await run(table, copy)).toMatchObject({ code: 0 })
  renameSync(copy, log)
  await produce(log, -2)
  expect(await run(table)).toMatchObject({ code: 0 })
  expect(await later(table)).toEqual([-2, -1])
})

test('a copy made while the log was in use may take over, and then the log itself is refused', async () => {
  const { table, log, copy } = await filled()
  const first = start(table, log, ['--follow'])
  const claims = `SELECT claim::int FROM millrace_fence WHERE sink = 'postgres ${table}'`
  const [[before] = []] = await server.query(claims)
  await expect
    .poll(async () => (await server.query(claims))[0]?.[0], { timeout: 120_000 })
    .not.toBe(before)
  cpSync(log, copy, { recursive: true })
  await produce(copy, -1)
  expect(await run(table, copy)).toMatchObject({ code: 0 })
  first.kill('SIGINT')
  await first.ended
  await produce(log, -2)
  expect(await run(table)).toMatchObject({ code: 2 })
  expect(await later(table)).toEqual([-1])
})
