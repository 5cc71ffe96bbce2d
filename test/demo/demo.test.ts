import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '@millrace/connectors/testing'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { root } from '../tidy/sources.ts'

const home = mkdtempSync(join(tmpdir(), 'millrace-demo-'))
const log = join(home, 'log')
const limit = 300_000
// More than opening writes: records are on their way.
const AT_WORK_BYTES = 200_000

interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

/** Runs the demo; `killAfterMs` kills it with −9 so long after it has written something into its log. */
async function demo(words: readonly string[], killAfterMs?: number): Promise<Outcome> {
  const { DATABASE_URL: _, ...env } = process.env
  const child = spawn(process.execPath, [join(root, 'examples/demo/main.ts'), ...words], {
    cwd: root,
    env: { ...env, DEMO_HOME: home, NO_COLOR: '1' },
    detached: true,
  })
  let output = ''
  const take = (chunk: unknown) => (output += String(chunk))
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  if (killAfterMs !== undefined) await killAtWork(child, killAfterMs)
  const [code, signal] = await exited
  return { code, signal, output }
}

async function killAtWork(child: ChildProcess, afterMs: number): Promise<void> {
  const before = bytesInLog()
  const isAlive = () => child.exitCode === null && child.signalCode === null
  while (isAlive() && bytesInLog() < before + AT_WORK_BYTES) await sleep(5)
  await sleep(afterMs)
  if (isAlive()) process.kill(-(child.pid ?? 0), 'SIGKILL')
}

function bytesInLog(): number {
  const names = existsSync(log) ? readdirSync(log, { recursive: true, encoding: 'utf8' }) : []
  const sizes = names.map((name) => statSync(join(log, name), { throwIfNoEntry: false })?.size ?? 0)
  return sizes.reduce((sum, size) => sum + size, 0)
}

const postgres = () => startPostgres({ directory: join(home, 'postgres') })

afterAll(async () => {
  await (await postgres()).stop()
  rmSync(home, { recursive: true, force: true })
})

test(
  'a demo killed with −9 at several moments ends with the right tables',
  { timeout: 600_000 },
  async () => {
    const signals: unknown[] = []
    for (const killAfterMs of [0, 150, 400, 700]) {
      signals.push((await demo(['--limit', `${limit}`], killAfterMs)).signal)
    }
    // A fast machine may have little left for the last ones.
    expect(signals.slice(0, 2)).toEqual(['SIGKILL', 'SIGKILL'])
    const { code, output } = await demo(['--limit', `${limit}`])
    expect(output).toMatch(new RegExp(`flights: rows +${limit}`))
    expect(output).not.toContain('✗')
    expect(code, output).toBe(0)
  },
)

test('another run does nothing twice', { timeout: 300_000 }, async () => {
  const { code, output } = await demo(['--limit', `${limit}`])
  expect(output).toMatch(new RegExp(`flights: rows +${limit}`))
  expect(output).not.toContain('✗')
  expect(code, output).toBe(0)
})

test(
  'a run over another number of flights is refused, and says what to do',
  { timeout: 300_000 },
  async () => {
    const { code, output } = await demo(['--limit', '5'])
    expect(output).toContain('--fresh')
    expect(code).toBe(2)
  },
)

test(
  'a difference between the tables ends the demo with an error',
  { timeout: 300_000 },
  async () => {
    const server = await postgres()
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    await client.query(
      'UPDATE delays_by_hour SET worst = worst + 1 WHERE ctid = (SELECT min(ctid) FROM delays_by_hour)',
    )
    await client.end()
    await server.stop()
    const { code, output } = await demo(['--limit', `${limit}`])
    expect(output).toContain('✗ delays_by_hour: different from the raw table')
    expect(output).toContain('1, should be 0')
    expect(code).toBe(1)
  },
)
