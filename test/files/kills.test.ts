import { randomInt } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { node } from '../cli/run-command.ts'
import { leftovers, publishedFiles, publishedIds } from './published.ts'

const KILLS = Number(process.env['KILLS'] ?? 8)
const ORDERS = 24_000
const script = join(import.meta.dirname, 'orders.ts')

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-kills-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const out = (sink: string) => join(cwd, 'out', sink)
const ids = (step: number) => Array.from({ length: ORDERS / step }, (_, i) => i * step)

/** How many commits there have been, in all sinks. */
function commits(): number {
  if (!existsSync(join(cwd, 'out'))) return 0
  const names = readdirSync(join(cwd, 'out'), { recursive: true, encoding: 'utf8' })
  const numbers = names.map((name) => Number(/(\d{20})\.commit$/.exec(name)?.[1] ?? 0))
  return numbers.reduce((sum, number) => sum + number, 0)
}

interface Disturbance {
  readonly signal: NodeJS.Signals
  readonly afterCommits: number
  readonly afterMs: number
}

/** Runs the pipeline; a signal comes so many commits after its start, and some milliseconds. */
async function live(disturbance?: Disturbance) {
  const before = commits()
  let watch: NodeJS.Timeout | undefined
  const ended = await node([script, '--quiet'], {
    cwd,
    env: { ORDERS: String(ORDERS), RATE: disturbance === undefined ? '0' : '8000' },
    onStart(kill) {
      if (disturbance === undefined) return
      const { signal, afterCommits, afterMs } = disturbance
      watch = setInterval(() => {
        if (commits() < before + afterCommits) return
        clearInterval(watch)
        setTimeout(() => kill(signal), afterMs)
      }, 2)
    },
  })
  clearInterval(watch)
  return ended
}

test(`${KILLS} kills at random moments: published files are whole and hold every record once`, async () => {
  const moments: string[] = []
  let struck = 0
  for (let kill = 0; kill < KILLS; kill++) {
    // Each task begins with a commit of its own, the claim: there are six.
    const afterCommits = randomInt(1, 14)
    const afterMs = randomInt(0, 40)
    moments.push(`${afterCommits} commits + ${afterMs} ms`)
    if ((await live({ signal: 'SIGKILL', afterCommits, afterMs })).code === null) struck++
    if (kill % 5 > 0) continue
    for (const sink of ['csv', 'ndjson', 'parquet']) {
      const seen = await publishedIds(out(sink))
      expect(new Set(seen).size, `${sink}, killed after ${moments.join(', ')}`).toBe(seen.length)
    }
  }
  const last = await live()
  expect(last.code, last.stderr).toBe(0)
  const killed = `killed after ${moments.join(', ')}`
  expect(await publishedIds(out('ndjson')), killed).toEqual(ids(1))
  expect(await publishedIds(out('parquet')), killed).toEqual(ids(1))
  expect(await publishedIds(out('csv')), killed).toEqual(ids(2))
  expect(publishedFiles(join(cwd, 'out')).length).toBeGreaterThan(30)
  expect(leftovers(join(cwd, 'out'))).toEqual([])
  // The last ones may find nothing left to do.
  expect(struck).toBeGreaterThan(KILLS / 2)
}, 600_000)

test('Ctrl-C publishes what is in flight, and the next run goes on there', async () => {
  const stopped = await live({ signal: 'SIGINT', afterCommits: 8, afterMs: 0 })
  expect(stopped.code, stopped.stderr).toBe(130)
  const seen = await publishedIds(out('ndjson'))
  expect(seen.length).toBeGreaterThan(0)
  expect(leftovers(join(cwd, 'out'))).toEqual([])
  await live()
  expect(await publishedIds(out('ndjson'))).toEqual(ids(1))
})
