import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@millrace/connectors/testing'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { root } from '../tidy/sources.ts'

const home = mkdtempSync(join(tmpdir(), 'millrace-demo-'))
const limit = 300_000

interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

/** Runs the demo; `killAfterMs` kills it with −9 so long after its database was there. */
function demo(words: readonly string[], killAfterMs?: number): Promise<Outcome> {
  const { DATABASE_URL: _, ...env } = process.env
  const child = spawn(process.execPath, [join(root, 'examples/demo/main.ts'), ...words], {
    cwd: root,
    env: { ...env, DEMO_HOME: home, NO_COLOR: '1' },
    detached: true,
  })
  let output = ''
  let timer: NodeJS.Timeout | undefined
  const take = (chunk: unknown) => {
    output += String(chunk)
    if (killAfterMs === undefined || !output.includes(' on port ')) return
    timer ??= setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), killAfterMs)
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, output })
    })
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
    const signals: unknown[] = []
    for (const killAfterMs of [300, 700, 1000, 600]) {
      signals.push((await demo(['--limit', `${limit}`], killAfterMs)).signal)
    }
    expect(signals).toContain('SIGKILL')
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
