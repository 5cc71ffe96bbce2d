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

/** How a run is divided. */
interface Division {
  readonly name: string
  readonly threads: number
  readonly log?: 'own thread'
}

const one: Division = { name: '1 thread', threads: 1 }
const withLog: Division = {
  name: '1 thread and the log in one more',
  threads: 1,
  log: 'own thread',
}

/** The demo's pipeline without its database, in as many threads as there are cores, against one. */
export async function measure(): Promise<Row[]> {
  const threads = Math.max(2, cpus().length)
  const many: Division = { name: `${threads} threads and the log in one more`, threads }
  return [await ratio(many, 1.5), await ratio(withLog, 1)]
}

async function ratio(division: Division, floor: number): Promise<Row> {
  const runs = new Map<Division, Run[]>()
  const measured = (how: Division) => async () => {
    const run = await inScratch((directory) => runOnce(join(directory, 'log'), how))
    runs.set(how, [...(runs.get(how) ?? []), run])
    return (run.rows * 1000) / run.elapsedMs
  }
  const found = await compare(measured(division), measured(one), rounds)
  for (const [how, all] of runs) console.error(timesOf(how, all))
  return ratioRow(
    `pipeline of the demo: ${division.name}, to 1 thread`,
    found,
    floor,
    floor,
    'rows',
  )
}

/** In a process of its own, as `npm run demo` runs it. */
function runOnce(directory: string, { name, threads, log }: Division): Promise<Run> {
  const script = join(import.meta.dirname, 'threads-run.ts')
  const cache = join(import.meta.dirname, '../.cache/compiled')
  const words = [script, directory, String(threads), ...(log === undefined ? [] : [log])]
  const child = spawn(process.execPath, words, {
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(said) as Run)
      else reject(new Error(`A run in ${name} ended with ${code}.`))
    })
  })
}

/** Where the processors' time went: says what bounds the ratio, which two cores can't exceed. */
function timesOf({ name }: Division, runs: readonly Run[]): string {
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
  return `${name}: ${wall.toFixed(2)} s, processors ${total.toFixed(2)} s (${list.join(', ')})`
}
