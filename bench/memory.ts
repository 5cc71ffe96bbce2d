import { spawn } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { withDatabase } from './database.ts'
import type { Row } from './report.ts'
import { inScratch } from './scratch.ts'

const root = join(import.meta.dirname, '..')
const launcher = join(root, 'cli/bin/millrace.mjs')
const csvRows = 20_000_000

/** Peak resident memory of whole commands, as the kernel counted it (VmHWM). */
export async function measure(): Promise<Row[]> {
  return [await loadRow(), await demoRow()]
}

async function loadRow(): Promise<Row> {
  const peak = await inScratch((directory) =>
    withDatabase(directory, async (database) => {
      const file = join(directory, 'rows.csv')
      await writeNumbers(file)
      await database.sql('CREATE TABLE numbers (id bigint, name text, amount float8)')
      const load = (from: string, to: string) =>
        peakMegabytes([launcher, 'load', from, '--to', database.url, '--table', to, '--create'], {})
      // Sources that were never run are stripped of their types first, which takes 20 MB; what users
      // install has none.
      const few = join(directory, 'few.csv')
      await writeFile(few, 'id\n1\n')
      await load(few, 'few')
      const found = await load(file, 'numbers')
      const [count] = await database.sql('SELECT count(*) AS rows FROM numbers')
      if (Number(count?.['rows']) !== csvRows)
        throw new Error(`${Number(count?.['rows'])} rows arrived`)
      return found
    }),
  )
  return row('peak RSS of `load`, CSV of 20 M rows', peak, 200, 120)
}

async function demoRow(): Promise<Row> {
  const peak = await inScratch((directory) =>
    withDatabase(directory, (database) =>
      peakMegabytes(
        [launcher, 'run', join(root, 'examples/demo/flights.ts'), '--log', join(directory, 'log')],
        { DATABASE_URL: database.url },
      ),
    ),
  )
  return row('peak RSS of the demo, 3 M flights', peak, 400, 250)
}

function row(what: string, peak: number, floor: number, aim: number): Row {
  return {
    what,
    got: `${peak.toFixed(0)} MB`,
    spread: '1 run',
    floor: `${floor} MB`,
    aim: `${aim} MB`,
    value: peak,
    holds: peak <= floor,
  }
}

async function writeNumbers(file: string): Promise<void> {
  const out = createWriteStream(file)
  out.write('id,name,amount\n')
  for (let from = 0; from < csvRows; from += 10_000) {
    let block = ''
    for (let id = from; id < from + 10_000; id++) block += `${id},name ${id % 9973},${id / 8}\n`
    if (!out.write(block))
      await new Promise<void>((resolve) => void out.once('drain', () => resolve()))
  }
  out.end()
  await finished(out)
}

/** Runs a command to its end; resolves with its highest VmHWM, looked at 20 times a second. */
async function peakMegabytes(
  args: readonly string[],
  env: Record<string, string>,
): Promise<number> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: 'ignore' })
  let peakKilobytes = 0
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      peakKilobytes = Math.max(peakKilobytes, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
    } catch {
      // It has ended; the next event says so.
    }
  }, 50)
  const code = await new Promise((resolve) => void child.once('exit', resolve))
  clearInterval(watch)
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${String(code)}`)
  return peakKilobytes / 1024
}
