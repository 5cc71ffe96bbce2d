import { spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { compare, median } from './paired.ts'
import { ratioRow, type Row } from './report.ts'
import { inScratch } from './scratch.ts'
import type { ThreadSeconds } from './thread-times.ts'

const rounds = 5

interface Run {
  readonly elapsedMs: number
  readonly rows: number
  readonly seconds: ThreadSeconds
}

/** The demo's pipeline without its database, in as many threads as there are cores, against one. */
export async function measure(): Promise<Row[]> {
  const threads = Math.max(2, cpus().length)
  const runs = new Map<number, Run[]>()
  const measured = (count: number) => async () => {
    const run = await inScratch((directory) => runOnce(join(directory, 'log'), count))
    runs.set(count, [...(runs.get(count) ?? []), run])
    return (run.rows * 1000) / run.elapsedMs
  }
  const found = await compare(measured(threads), measured(1), rounds)
  for (const [count, all] of runs) console.error(timesOf(count, all))
  return [ratioRow(`pipeline of the demo, ${threads} threads to 1`, found, 1.5, 1.5, 'rows')]
}

/** In a process of its own, as `npm run demo` runs it. */
function runOnce(directory: string, threads: number): Promise<Run> {
  const script = join(import.meta.dirname, 'threads-run.ts')
  const cache = join(import.meta.dirname, '../.cache/compiled')
  const words = [script, directory, String(threads)]
  const child = spawn(process.execPath, words, {
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(said) as Run)
      else reject(new Error(`A run in ${threads} threads ended with ${code}.`))
    })
  })
}

/** Where the processors' time went: says what bounds the ratio, which two cores can't exceed. */
function timesOf(threads: number, runs: readonly Run[]): string {
  const wall = median(runs.map(({ elapsedMs }) => elapsedMs / 1000))
  const names = new Set(runs.flatMap(({ seconds }) => Object.keys(seconds)))
  const parts = Array.from(names, (name) => ({
    name,
    seconds: median(runs.map(({ seconds }) => seconds[name] ?? 0)),
  }))
  const total = parts.reduce((sum, { seconds }) => sum + seconds, 0)
  const list = parts
    .filter(({ seconds }) => seconds >= 0.05)
    .toSorted((a, b) => b.seconds - a.seconds)
    .map(({ name, seconds }) => `${name} ${seconds.toFixed(2)}`)
  return `threads ${threads}: ${wall.toFixed(2)} s, processors ${total.toFixed(2)} s (${list.join(', ')})`
}
