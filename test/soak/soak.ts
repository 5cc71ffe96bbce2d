import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '@millrace/connectors/testing'
import { SeededRandom } from '@millrace/core/testing'
import { median, type Minute, quantile } from './samples.ts'
import { SoakedProcess } from './soaked-process.ts'
import { Tables } from './tables.ts'
import { diskBytes, vitalSigns } from './vital-signs.ts'

/** How long, how fast, and which kills. */
export interface SoakPlan {
  readonly minutes: number
  readonly rate: number
  readonly seed: number
  readonly onMinute?: (minute: Minute) => void
}

/** What a soak came to. */
export interface SoakResult {
  readonly records: number
  readonly kills: number
  readonly minutes: readonly Minute[]
  /** Rows that the tables must hold, and how many of them (or besides) are different. */
  readonly rows: number
  readonly different: number
  readonly late: number
  readonly skipped: number
  /** Bytes of each topic at the end. */
  readonly topics: ReadonlyMap<string, number>
}

const KILL_AFTER_MS = { min: 20_000, max: 60_000 }
const SAMPLE_MS = 100
// Opening, restoring and catching up are no steady state.
const SETTLING_MS = 8_000

/** Runs the pipeline for as long as asked, kills it at random, and adds up what it has done. */
export async function soak(plan: SoakPlan): Promise<SoakResult> {
  const root = await mkdtemp(join(tmpdir(), 'millrace-soak-'))
  const server = await startPostgres({ directory: join(root, 'postgres') })
  const run = new SoakRun(plan, join(root, 'log'), server.url)
  try {
    await run.live()
    return await run.finish()
  } finally {
    await run.stop()
    await server.stop()
    await rm(root, { recursive: true })
  }
}

class SoakRun {
  readonly #plan: SoakPlan
  readonly #directory: string
  readonly #url: string
  readonly #tables: Tables
  readonly #random: SeededRandom
  readonly #minutes: Minute[] = []
  #process: SoakedProcess | undefined
  #made = 0
  #kills = 0

  constructor(plan: SoakPlan, directory: string, url: string) {
    this.#plan = plan
    this.#directory = directory
    this.#url = url
    this.#tables = new Tables(url)
    this.#random = new SeededRandom(plan.seed)
  }

  async live(): Promise<void> {
    const endMs = performance.now() + this.#plan.minutes * 60_000
    const killing = this.#killUntil(endMs)
    while (performance.now() < endMs) {
      const minute = await Promise.race([this.#watch(endMs), killing])
      if (minute === undefined) break
      this.#minutes.push(minute)
      this.#plan.onMinute?.(minute)
    }
    await killing
  }

  /** Lets the last life come to the end of its input, and compares. */
  async finish(): Promise<SoakResult> {
    const { rate } = this.#plan
    // A little more than was made, so that the last life also has some to make.
    const count = this.#made + 2 * rate
    const last = this.#start({ count })
    await last.ended()
    return {
      ...(await this.#tables.compare(count, rate)),
      records: count,
      kills: this.#kills,
      minutes: this.#minutes,
      late: last.late ?? Number.NaN,
      skipped: last.skipped ?? Number.NaN,
      topics: await diskBytes(this.#directory),
    }
  }

  async stop(): Promise<void> {
    await this.#process?.kill().catch(() => {})
    await this.#tables.close()
  }

  #start(end: { readonly count?: number } = {}): SoakedProcess {
    const { rate } = this.#plan
    const options = { directory: this.#directory, url: this.#url, rate, ...end }
    this.#process = new SoakedProcess(options)
    return this.#process
  }

  /** Life after life, each killed after a while. */
  async #killUntil(endMs: number): Promise<undefined> {
    while (performance.now() < endMs) {
      const life = this.#start()
      const { min, max } = KILL_AFTER_MS
      const lengthMs = min + this.#random.integer(max - min)
      const killMs = Math.min(endMs, performance.now() + lengthMs)
      while (performance.now() < killMs) {
        await sleep(SAMPLE_MS)
        life.assertAlive()
        this.#made = Math.max(this.#made, life.made)
      }
      await life.kill()
      this.#kills++
    }
  }

  async #watch(endMs: number): Promise<Minute> {
    const before = { made: this.#made, kills: this.#kills }
    const untilMs = Math.min(endMs, performance.now() + 60_000)
    const agesMs: number[] = []
    const rssBytes: number[] = []
    const openFiles: number[] = []
    const disk: number[] = []
    for (let n = 0; performance.now() < untilMs; n++) {
      await sleep(SAMPLE_MS)
      const life = this.#process
      if (life === undefined || performance.now() - life.startedMs < SETTLING_MS) continue
      const newestMs = await this.#tables.newestMs()
      if (newestMs !== undefined && life === this.#process) agesMs.push(Date.now() - newestMs)
      if (n % 10 !== 0) continue
      const signs = await vitalSigns(life.pid)
      if (signs === undefined) continue
      rssBytes.push(signs.rssBytes)
      openFiles.push(signs.openFiles)
      disk.push([...(await diskBytes(this.#directory)).values()].reduce((a, b) => a + b, 0))
    }
    return {
      minute: this.#minutes.length + 1,
      records: this.#made - before.made,
      kills: this.#kills - before.kills,
      rssBytes: median(rssBytes),
      openFiles: median(openFiles),
      diskBytes: median(disk),
      p50AgeMs: quantile(agesMs, 0.5),
      p99AgeMs: quantile(agesMs, 0.99),
    }
  }
}
