import { spawnSync } from 'node:child_process'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { startPostgres } from './postgres-server.ts'
import type { PostgresServer } from './postgres-server.ts'

const isRoot = process.getuid?.() === 0
const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function scratch(mode = 0o755): Promise<string> {
  const directory = await fs.mkdtemp(path.join(tmpdir(), 'millrace-server-test-'))
  await fs.chmod(directory, mode)
  cleanups.push(() => fs.rm(directory, { recursive: true, force: true }))
  return path.join(directory, 'postgres')
}

async function started(options: Parameters<typeof startPostgres>[0]): Promise<PostgresServer> {
  const server = await startPostgres(options)
  cleanups.push(() => server.stop())
  return server
}

async function query(server: PostgresServer, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

/** Runs a script that starts a server and is then killed without a chance to stop it. */
function startAndDie(directory: string): void {
  const module = new URL('./postgres-server.ts', import.meta.url).href
  const script = `const { startPostgres } = await import(${JSON.stringify(module)})
    await startPostgres({ directory: ${JSON.stringify(directory)} })
    process.kill(process.pid, 'SIGKILL')`
  const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  expect(signal).toBe('SIGKILL')
}

test('data survives stopping and starting again', async () => {
  const directory = await scratch()
  const first = await started({ directory })
  await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer')
  await first.stop()
  const second = await started({ directory })
  expect(second.wasRunning).toBe(false)
  expect(await query(second, 'SELECT answer FROM kept')).toEqual([42])
})

test('a server left behind by a killed process is attached to', async () => {
  const directory = await scratch()
  startAndDie(directory)
  const server = await started({ directory })
  expect(server.wasRunning).toBe(true)
  expect(await query(server, 'SELECT 1')).toEqual([1])
  await server.stop()
  await expect(query(server, 'SELECT 1')).rejects.toThrow('ECONNREFUSED')
})

test('a server that was killed itself starts again with its data', async () => {
  const directory = await scratch()
  const server = await started({ directory })
  await query(server, 'CREATE TABLE kept AS SELECT 42 AS answer')
  process.kill(server.pid, 'SIGKILL')
  await expect.poll(() => query(server, 'SELECT 1').catch(String)).toContain('ECONNREFUSED')
  const second = await started({ directory })
  expect(second.wasRunning).toBe(false)
  expect(await query(second, 'SELECT answer FROM kept')).toEqual([42])
})

test('only the holder of the password file can log in, and only this machine', async () => {
  const directory = await scratch()
  const server = await started({ directory })
  expect((await fs.stat(path.join(directory, 'password'))).mode & 0o777).toBe(0o600)
  const url = new URL(server.url)
  url.password = 'guess'
  await expect(query({ ...server, url: url.href }, 'SELECT 1')).rejects.toThrow(/password/)
  expect(await query(server, 'SHOW listen_addresses')).toEqual(['127.0.0.1'])
})

test('a half-made data directory is made again', async () => {
  const directory = await scratch()
  await fs.mkdir(path.join(directory, 'data.new', 'base'), { recursive: true })
  expect(await query(await started({ directory }), 'SELECT 1')).toEqual([1])
})

describe.runIf(isRoot)('as root', () => {
  test('it runs as nobody where nobody can reach the files', async () => {
    const server = await started({ directory: await scratch(), accounts: ['nobody'] })
    expect(await query(server, 'SELECT 1')).toEqual([1])
  })

  test('in a directory that others cannot read it runs in a user namespace', async () => {
    const server = await started({ directory: await scratch(0o700) })
    expect(server.account).toBe('namespace')
    expect(await query(server, 'SELECT 1')).toEqual([1])
  })

  test('without namespaces the data of such a directory lives in the temporary directory', async () => {
    const directory = await scratch(0o700)
    const first = await started({ directory, accounts: ['nobody-elsewhere'] })
    const home = await fs.readFile(path.join(directory, 'location'), 'utf8')
    cleanups.unshift(() => fs.rm(home, { recursive: true }))
    await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer')
    await first.stop()
    const second = await started({ directory, accounts: ['nobody-elsewhere'] })
    expect(await query(second, 'SELECT answer FROM kept')).toEqual([42])
  })
})
