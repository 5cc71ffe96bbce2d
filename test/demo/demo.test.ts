import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@millrace/connectors/testing'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { root } from '../tidy/sources.ts'

const home = mkdtempSync(join(tmpdir(), 'millrace-demo-'))
const limit = 60_000

interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

/** Runs the demo; `killAfterMs` kills it and the pipeline it started with −9, not its PostgreSQL. */
function demo(words: readonly string[], killAfterMs?: number): Promise<Outcome> {
  const { DATABASE_URL: _, ...env } = process.env
  const child = spawn(process.execPath, [join(root, 'examples/demo/main.ts'), ...words], {
    cwd: root,
    env: { ...env, DEMO_HOME: home, NO_COLOR: '1' },
    detached: true,
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (output += String(chunk)))
  if (killAfterMs !== undefined) {
    setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), killAfterMs)
  }
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal, output }))
  })
}

const postgres = () => startPostgres({ directory: join(home, 'postgres') })

afterAll(async () => {
  await (await postgres()).stop()
  rmSync(home, { recursive: true, force: true })
})

test(
  'a demo killed with −9 at several moments ends with the right tables',
  { timeout: 240_000 },
  async () => {
    for (const killAfterMs of [1200, 1800, 2400, 3200]) {
      await demo(['--limit', `${limit}`], killAfterMs)
    }
    const { code, output } = await demo(['--limit', `${limit}`])
    expect(output).toMatch(new RegExp(`flights: rows +${limit}`))
    expect(output).not.toContain('✗')
    expect(code, output).toBe(0)
  },
)

test('another run does nothing twice', { timeout: 120_000 }, async () => {
  const { code, output } = await demo(['--limit', `${limit}`])
  expect(output).toMatch(new RegExp(`flights: rows +${limit}`))
  expect(output).not.toContain('✗')
  expect(code, output).toBe(0)
})

test(
  'a run over another number of flights is refused, and says what to do',
  { timeout: 120_000 },
  async () => {
    const { code, output } = await demo(['--limit', '5'])
    expect(output).toContain('--fresh')
    expect(code).toBe(2)
  },
)

test(
  'a difference between the tables ends the demo with an error',
  { timeout: 120_000 },
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
