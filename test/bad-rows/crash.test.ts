import { spawn } from 'node:child_process'
import { cp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Log, open, redrive, run } from 'millrace'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileCache } from '../crash/compile-cache.ts'
import type { CrashPoint, Phase } from '../crash/failpoints.ts'
import { inParallel } from '../crash/in-parallel.ts'
import type { Life } from './life.ts'
import { readAll } from './read-all.ts'
import { type Mode, Workshop, lettersOf, sendRows, tablePipeline } from './workshop.ts'

const LIVES_AT_ONCE = 3
const ROWS = 400
const isBad = (id: number): boolean => id % 40 === 3 || (id > 200 && id < 206)
const all = Array.from({ length: ROWS }, (_, id) => id)

let shop: Workshop
beforeAll(async () => {
  shop = await Workshop.open()
})
afterAll(() => shop.close())

let worlds = 0

/** A log with bad rows in it, and their table. */
async function world(mode: Mode): Promise<Life> {
  const name = `w${(worlds += 1)}`
  const directory = join(shop.directory, name)
  await shop.query(`CREATE TABLE ${name} (id int PRIMARY KEY, v int CHECK (v < 100))`)
  await withLog(directory, (log) =>
    sendRows(log, name, ROWS, (id) => `{"id":${id},"v":${isBad(id) ? 100 : 1}}`),
  )
  return { work: 'run', directory, url: shop.server.url, name, mode }
}

async function withLog<T>(directory: string, work: (log: Log) => Promise<T>): Promise<T> {
  const log = await open(directory)
  try {
    return await work(log)
  } finally {
    await log.close()
  }
}

const script = join(import.meta.dirname, 'life.ts')
const environment = { ...process.env, ...compileCache }

/** Lives in a process of its own. */
function live(life: Life): Promise<'killed' | 'lived'> {
  const child = spawn(process.execPath, [script, JSON.stringify(life)], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let words = ''
  child.stderr.on('data', (bytes) => (words += String(bytes)))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (signal === 'SIGKILL') resolve('killed')
      else if (code === 0) resolve('lived')
      else reject(new Error(`A life failed (${code ?? signal}):\n${words}`))
    })
  })
}

/** Some moments of each kind of step that a life has. */
async function pointsOf(life: Life, kinds: RegExp): Promise<CrashPoint[]> {
  const countsFile = join(life.directory, '..', `${life.name}.json`)
  expect(await live({ ...life, countsFile })).toBe('lived')
  const counts = JSON.parse(await readFile(countsFile, 'utf8')) as [string, number][]
  return counts
    .filter(([step]) => kinds.test(step))
    .flatMap(([step, count]) => {
      const sql: readonly Phase[] = step.startsWith('sql answer') ? ['after'] : ['sent']
      const phases: readonly Phase[] = step.startsWith('sql') ? sql : ['before', 'after']
      const occurrences = [...new Set([Math.ceil(count / 2), count])]
      return occurrences.flatMap((occurrence) =>
        phases.map((phase) => ({ step, occurrence, phase })),
      )
    })
}

describe.each(['append', 'upsert'] as const)('%s', (mode) => {
  test('killed around dead letters and the commit that passes them, each is there and no other', async () => {
    const surveyed = await world(mode)
    const points = await pointsOf(
      surveyed,
      /^(log append|log commitPositions|sql (COMMIT|ROLLBACK|SAVEPOINT|parse SELECT|UPDATE|copy done)|sql answer (COMMIT|ROLLBACK|SELECT|UPDATE|COPY))/,
    )
    let killed = 0
    await inParallel(LIVES_AT_ONCE, points, async (point) => {
      const life = await world(mode)
      if ((await live({ ...life, point })) === 'killed') killed += 1
      await expectSettled(life, point)
    })
    console.log(`${mode}: ${points.length} crash points, ${killed} lives killed`)
    expect(killed / points.length).toBeGreaterThan(0.8)
  })
})

async function expectSettled(
  { name, directory, mode, url }: Life,
  point: CrashPoint,
): Promise<void> {
  await withLog(directory, async (log) => {
    // A letter whose record is not passed yet must not be sent again: the record itself comes again.
    const [before] = await shop.query(`SELECT count(*)::int AS rows FROM ${name}`)
    const early = await redrive(log, `${name}-dead-letters`, { isDryRun: true }).catch(
      () => undefined,
    )
    const mayBeSent = before?.['rows'] === 0 ? [0] : [0, all.filter(isBad).length]
    expect(mayBeSent, JSON.stringify(point)).toContain(early?.sent[name] ?? 0)
    await run(tablePipeline(name, mode, url), { log, onError: 'dead-letter' })
    const letters = await lettersOf(log, name)
    expect(
      [...letters.keys()].toSorted((a, b) => a - b),
      JSON.stringify(point),
    ).toEqual(all.filter(isBad))
    const { sent } = await redrive(log, `${name}-dead-letters`, { isDryRun: true })
    expect(sent, JSON.stringify(point)).toEqual({ [name]: letters.size })
  })
  const good = all.filter((id) => !isBad(id))
  expect(
    await shop.query(`SELECT count(*)::int AS count, sum(id)::int AS sum FROM ${name}`),
  ).toEqual([{ count: good.length, sum: good.reduce((sum, id) => sum + id, 0) }])
  await rm(directory, { recursive: true })
}

test('redriving killed at any step and done again sends every record once', async () => {
  const life = await world('append')
  await withLog(life.directory, (log) =>
    run(tablePipeline(life.name, 'append', life.url), { log, onError: 'dead-letter' }),
  )
  const template = `${life.directory}-template`
  await cp(life.directory, template, { recursive: true })
  const points = await pointsOf({ ...life, work: 'redrive' }, /^(log |disk sync )/)
  let killed = 0
  await inParallel(LIVES_AT_ONCE, points, async (point) => {
    const directory = `${template}-${JSON.stringify(point).replaceAll(/\W+/g, '-')}`
    await cp(template, directory, { recursive: true })
    const redriving: Life = { ...life, directory, work: 'redrive', point }
    if ((await live(redriving)) === 'killed') killed += 1
    await withLog(directory, async (log) => {
      await redrive(log, `${life.name}-dead-letters`)
      const sent = (await readAll(log, life.name)).slice(ROWS)
      const ids = sent.map(({ value }) => (JSON.parse(value ?? '') as { id: number }).id)
      expect(
        ids.toSorted((a, b) => a - b),
        JSON.stringify(point),
      ).toEqual(all.filter(isBad))
    })
    await rm(directory, { recursive: true })
  })
  console.log(`redrive: ${points.length} crash points, ${killed} lives killed`)
  expect(killed / points.length).toBeGreaterThan(0.8)
})
