import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '@millrace/connectors/testing'
import { SeededRandom } from '@millrace/core/testing'
import { type TopicOnDisk, topicsOnDisk } from './disk-bounds.ts'
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
  /** What each topic takes on the disk at the end. */
  readonly topics: readonly TopicOnDisk[]
  /** The most that each took while one life went on; empty when that was short. */
  readonly peaks: ReadonlyMap<string, number>
}

const KILL_AFTER_MS = { min: 20_000, max: 60_000 }
const SAMPLE_MS = 100
// Opening, restoring and catching up are no steady state.
const SETTLING_MS = 8_000
// Nor is what lives left that were killed before their first rounds of retention.
const PEAKS_AFTER_MS = 70_000

/**
 * Runs the pipeline for as long as asked, and adds up what it has done: in the first half it is killed at random,
 * in the second one life goes on, in which whatever leaks would show.
 */
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
  readonly #peaks = new Map<string, number>()
  #calmMs = Number.POSITIVE_INFINITY
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
    const startMs = performance.now()
    const endMs = startMs + this.#plan.minutes * 60_000
    const living = this.#lives((startMs + endMs) / 2, endMs)
    while (performance.now() < endMs) {
      const minute = await Promise.race([this.#watch(endMs), living])
      if (minute === undefined) break
      this.#minutes.push(minute)
      this.#plan.onMinute?.(minute)
    }
    await living
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
      topics: await topicsOnDisk(this.#directory),
      peaks: this.#peaks,
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

  /** Life after life, each killed after a while; then one to the end, which is killed there. */
  async #lives(calmMs: number, endMs: number): Promise<undefined> {
    while (performance.now() < calmMs) {
      const { min, max } = KILL_AFTER_MS
      const lengthMs = min + this.#random.integer(max - min)
      await this.#lifeUntil(Math.min(calmMs, performance.now() + lengthMs))
    }
    this.#calmMs = performance.now()
    await this.#lifeUntil(endMs)
  }

  async #lifeUntil(killMs: number): Promise<void> {
    const life = this.#start()
    while (performance.now() < killMs) {
      await sleep(SAMPLE_MS)
      life.assertAlive()
      this.#made = Math.max(this.#made, life.made)
    }
    await life.kill()
    this.#kills++
  }

  async #watch(endMs: number): Promise<Minute> {
    const before = { made: this.#made, kills: this.#kills }
    const isCalm = performance.now() >= this.#calmMs
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
      disk.push(await this.#sampleDisk())
    }
    return {
      minute: this.#minutes.length + 1,
      records: this.#made - before.made,
      kills: this.#kills - before.kills,
      isCalm,
      rssBytes: median(rssBytes),
      openFiles: median(openFiles),
      diskBytes: median(disk),
      p50AgeMs: quantile(agesMs, 0.5),
      p99AgeMs: quantile(agesMs, 0.99),
    }
  }

  /** Bytes of all topics. */
  async #sampleDisk(): Promise<number> {
    const topics = await diskBytes(this.#directory)
    if (performance.now() - this.#calmMs > PEAKS_AFTER_MS) {
      for (const [topic, bytes] of topics) {
        this.#peaks.set(topic, Math.max(bytes, this.#peaks.get(topic) ?? 0))
      }
    }
    return [...topics.values()].reduce((a, b) => a + b, 0)
  }
}
