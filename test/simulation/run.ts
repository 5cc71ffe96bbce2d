import { parseArgs } from 'node:util'
import type { LivesResult } from './lives.ts'
import { runInProcess } from './pool.ts'
import { Tally } from './tally.ts'

const WORKERS = 2
const SEEDS_FOR_FLOORS = 500

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    failures: { type: 'string', default: '1' },
    bug: { type: 'string' },
  },
})

/** Runs lives on both cores and says what happened in them; the exit code is 1 when one failed. */
async function main(): Promise<number> {
  const startedMs = performance.now()
  const results =
    values.seed === undefined ? await many(Number(values.seeds)) : await one(Number(values.seed))
  const tally = new Tally()
  for (const result of results) tally.add(result.tally)
  const failures = results.flatMap((result) => result.failures)
  const seconds = (performance.now() - startedMs) / 1000
  console.log(`${tally.report()}\n`)
  console.log(
    `${tally.lives} lives in ${seconds.toFixed(1)} s, ${((seconds * 1000) / tally.lives).toFixed(1)} ms each`,
  )
  for (const { seed, message } of failures) {
    console.error(
      `\nseed ${seed} failed: ${message}\nreplay: npm run sim -- --seed ${seed}${bugOption()}`,
    )
  }
  const rare = tally.lives >= SEEDS_FOR_FLOORS ? tally.belowFloor : []
  if (rare.length > 0)
    console.error(`\ntoo rare for this run to prove anything:\n  ${rare.join('\n  ')}`)
  return failures.length > 0 || rare.length > 0 ? 1 : 0
}

function many(seeds: number): Promise<LivesResult[]> {
  return Promise.all(
    Array.from({ length: WORKERS }, (_, index) =>
      runInProcess({
        firstSeed: Number(values.from) + index,
        count: Math.ceil((seeds - index) / WORKERS),
        step: WORKERS,
        failuresMax: Number(values.failures),
        ...(values.bug === undefined ? {} : { bug: values.bug }),
      }),
    ),
  )
}

async function one(seed: number): Promise<LivesResult[]> {
  const bug = values.bug === undefined ? {} : { bug: values.bug }
  return [await runInProcess({ firstSeed: seed, count: 1, step: 1, failuresMax: 1, ...bug })]
}

function bugOption(): string {
  return values.bug === undefined ? '' : ` --bug '${values.bug}'`
}

process.exitCode = await main()
