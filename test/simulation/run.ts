import { CommandLine } from '../command-line.ts'
import type { LivesResult } from './lives.ts'
import { plantedBugs } from './planted-bugs.ts'
import { runInProcess } from './pool.ts'
import { Tally } from './tally.ts'

const WORKERS = 2
const SEEDS_FOR_FLOORS = 500

const help = `npm run sim [-- OPTIONS]: seeded lives of a log on a disk that tears, reorders, fills up and fails. Exit code 1
when one failed, or when (in ${SEEDS_FOR_FLOORS} lives or more) something happened too rarely to prove anything.

  --seeds N     so many lives (default 1000)
  --from SEED   the first of them (default 0)
  --seed SEED   this life alone
  --failures N  stop after so many failures (default 1)
  --bug NAME    with one of the bugs of test/simulation/planted-bugs.ts`

const commandLine = new CommandLine(help, {
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    failures: { type: 'string', default: '1' },
    bug: { type: 'string' },
  },
})
const { values } = commandLine
const plan = {
  seeds: commandLine.count('seeds', values.seeds),
  from: commandLine.count('from', values.from, 0),
  failuresMax: commandLine.count('failures', values.failures),
  seed: values.seed === undefined ? undefined : commandLine.count('seed', values.seed, 0),
  ...(values.bug === undefined ? {} : { bug: values.bug }),
}
if (plan.bug !== undefined && !plantedBugs.some(({ name }) => name === plan.bug)) {
  const names = plantedBugs.map(({ name }) => `  ${name}`).join('\n')
  commandLine.refuse(`There is no planted bug "${plan.bug}"; there are:\n${names}`)
}

/** Runs lives on both cores and says what happened in them; the exit code is 1 when one failed. */
async function main(): Promise<number> {
  const startedMs = performance.now()
  const results = await (plan.seed === undefined ? many() : one(plan.seed))
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
  return failures.length > 0 || rare.length > 0 || tally.lives === 0 ? 1 : 0
}

function many(): Promise<LivesResult[]> {
  const { seeds, from, ...how } = plan
  return Promise.all(
    Array.from({ length: Math.min(WORKERS, seeds) }, (_, index) =>
      runInProcess({
        ...how,
        firstSeed: from + index,
        count: Math.ceil((seeds - index) / WORKERS),
        step: WORKERS,
      }),
    ),
  )
}

async function one(firstSeed: number): Promise<LivesResult[]> {
  return [await runInProcess({ ...plan, firstSeed, count: 1, step: 1 })]
}

function bugOption(): string {
  return plan.bug === undefined ? '' : ` --bug '${plan.bug}'`
}

process.exitCode = await main()
