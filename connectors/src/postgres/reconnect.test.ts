import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { startPostgres } from '../testing/index.ts'
import type { PostgresServer } from '../testing/index.ts'
import { postgres } from './postgres.ts'
import { batchOf, testContext } from './testing/test-database.ts'

const cleanups: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup()
})

async function query(server: PostgresServer, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows
  } finally {
    await client.end()
  }
}

test('a load goes on where it was after the server was killed and came back', async () => {
  const base = await fs.mkdtemp(path.join(tmpdir(), 'millrace-test-'))
  await fs.chmod(base, 0o755)
  cleanups.push(() => fs.rm(base, { recursive: true, force: true }))
  const directory = path.join(base, 'postgres')
  const first = await startPostgres({ directory })
  await query(first, 'CREATE TABLE flights (id int)')
  const context = testContext({})
  const open = await postgres(first.url).table('flights').open(context)
  const task = await open.claim('t')
  const size = 2_000
  const batch = (n: number): ReturnType<typeof batchOf> =>
    batchOf(
      Array.from({ length: size }, (_, id) => ({ id: n * size + id })),
      { n },
    )
  const load = (async () => {
    for (let n = 0; n < 60; n += 1) await task.write(batch(n))
  })()
  load.catch(() => {})
  await expect.poll(() => Number(task.position === undefined)).toBe(0)
  process.kill(first.pid, 'SIGKILL')
  await expect.poll(() => context.notices.length).toBeGreaterThan(0)
  const second = await startPostgres({ directory, settings: { port: String(first.port) } })
  cleanups.push(() => second.stop())
  await load
  expect(await query(second, 'SELECT count(*)::int, count(DISTINCT id)::int FROM flights')).toEqual(
    [[60 * size, 60 * size]],
  )
  expect(context.notices.join('\n')).not.toContain(new URL(first.url).password)
  await open.close()
})

test('sessions that an administrator ends are replaced', async () => {
  const base = await fs.mkdtemp(path.join(tmpdir(), 'millrace-test-'))
  await fs.chmod(base, 0o755)
  cleanups.push(() => fs.rm(base, { recursive: true, force: true }))
  const server = await startPostgres({ directory: path.join(base, 'postgres') })
  cleanups.push(() => server.stop())
  await query(server, 'CREATE TABLE ended (id int)')
  const open = await postgres(server.url).table('ended').open(testContext({}))
  const task = await open.claim('t')
  for (let n = 0; n < 5; n += 1) {
    const ended = query(
      server,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'millrace%'`,
    )
    await task.write(batchOf([{ id: n }], { n }))
    await ended
  }
  expect(await query(server, 'SELECT count(*)::int, sum(id)::int FROM ended')).toEqual([[5, 10]])
  await open.close()
})

test('an abort ends the wait for a server that does not come back', async () => {
  const base = await fs.mkdtemp(path.join(tmpdir(), 'millrace-test-'))
  await fs.chmod(base, 0o755)
  cleanups.push(() => fs.rm(base, { recursive: true, force: true }))
  const server = await startPostgres({ directory: path.join(base, 'postgres') })
  await query(server, 'CREATE TABLE gone (id int)')
  const context = testContext({})
  const open = await postgres(server.url).table('gone').open(context)
  const task = await open.claim('t')
  await server.stop()
  const written = task.write(batchOf([{ id: 1 }]))
  written.catch(() => {})
  await expect.poll(() => context.notices.length).toBeGreaterThan(0)
  context.abort()
  await expect(written).rejects.toThrow(/given up.*\(ECONNREFUSED\)/s)
  await open.close()
})
