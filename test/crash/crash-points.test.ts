import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { live } from './child.ts'
import type { CrashPoint, Phase } from './failpoints.ts'
import { type PipelineName, pipelineNames } from './pipelines.ts'
import { inParallel } from './in-parallel.ts'
import { readings } from './readings.ts'
import { Worlds, type Outcome } from './worlds.ts'

const LIVES_AT_ONCE = 3

let worlds: Worlds
beforeAll(async () => {
  worlds = await Worlds.start()
})
afterAll(() => worlds.stop())

for (const name of pipelineNames) {
  test(`${name}: killed before, within and after every kind of step, what is left is as if nothing had happened`, async () => {
    const { expected, points } = await survey(name)
    let killed = 0
    await inParallel(LIVES_AT_ONCE, points, async (point) => {
      const world = await worlds.make(name)
      if ((await live({ ...world, point })) === 'killed') killed++
      expect(await worlds.outcome(world), JSON.stringify(point)).toEqual(expected)
      await worlds.drop(world)
    })
    console.log(`${name}: ${points.length} crash points, ${killed} lives killed`)
    // Stages run side by side, so that a step may come less often than in the life that was surveyed.
    expect(killed / points.length).toBeGreaterThan(0.8)
  }, 600_000)
}

test('an undisturbed run leaves what a plain recomputation of its readings says', async () => {
  const world = await worlds.make('two sinks')
  const { late, tables } = await worlds.outcome(world)
  expect(tables['rows']?.rows).toBe(readings.length)
  expect(late).toBeGreaterThan(0)
  const [sums] = await worlds.query(
    `SELECT sum(readings)::int AS counted, sum(total)::int AS total FROM ${world.schema}.windows`,
  )
  const onTime = readings.length - late
  expect(sums?.['counted']).toBe(onTime)
  await worlds.drop(world)
})

/** What a life without a crash leaves, and where in it to crash. */
async function survey(name: PipelineName): Promise<{ expected: Outcome; points: CrashPoint[] }> {
  const world = await worlds.make(name)
  const countsFile = join(world.directory, '..', `${world.schema}.json`)
  expect(await live({ ...world, countsFile })).toBe('lived')
  const counts = JSON.parse(await readFile(countsFile, 'utf8')) as [string, number][]
  const expected = await worlds.outcome(world)
  await worlds.drop(world)
  const points = counts.flatMap(([step, count]) => {
    if (COMMITS.test(step)) return pointsOf(step, [count / 8, count / 4], phasesOf(step))
    return name === 'two sinks' ? pointsOf(step, [count / 4], ['after', 'sent']) : []
  })
  return { expected, points }
}

// Making topics, files and tables is the same for all pipelines: one of them is killed there, too.
const COMMITS =
  /^(disk (write|sync) .*\.log|log (?!createTopic)|sql (?!.*(SHOW|SELECT|SET|CREATE|connect)))/

/** These occurrences of a step, at those of the phases that it has. */
function pointsOf(
  step: string,
  occurrences: readonly number[],
  phases: readonly Phase[],
): CrashPoint[] {
  const whole = new Set(occurrences.map((occurrence) => Math.ceil(occurrence)))
  const own = phasesOf(step).filter((phase) => phases.includes(phase))
  return [...whole].flatMap((occurrence) => own.map((phase) => ({ step, occurrence, phase })))
}

function phasesOf(step: string): readonly Phase[] {
  if (step.startsWith('sql answer ')) return ['after']
  return step.startsWith('sql ') ? ['before', 'sent'] : ['before', 'after']
}
