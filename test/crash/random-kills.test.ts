import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type End, live } from './child.ts'
import { inParallel } from './in-parallel.ts'
import { AT_WORK, type World } from './life.ts'
import { type Outcome, Worlds } from './worlds.ts'

const KILLS = 100
const KILLS_IN_THREADS = 20
const LIVES_AT_ONCE = 3
// A world is given up to its last, undisturbed life after so many kills.
const KILLS_PER_WORLD = 5
// From before the first module is loaded to about the end of a life.
const KILL_AFTER_MS = { min: 200, max: 1200 }

// A life in threads is killed so soon after its first commit.
const AT_WORK_MS = 400

/** Begins a life that is killed after so long. */
type Begin = (world: World, afterMs: number) => Promise<End>

let worlds: Worlds
let expected: Outcome
beforeAll(async () => {
  worlds = await Worlds.start()
  const world = await worlds.make('two sinks')
  expected = await worlds.outcome(world)
  await worlds.drop(world)
})
afterAll(() => worlds.stop())

test(`${KILLS} kills at random moments leave the tables as if nothing had happened`, async () => {
  await kill(KILLS, LIVES_AT_ONCE, (world, afterMs) => live(world, afterMs))
}, 600_000)

test(`${KILLS_IN_THREADS} kills of runs divided among 1, 2 or 3 threads in turn do as little harm`, async () => {
  await kill(KILLS_IN_THREADS, 1, (world, afterMs) => {
    const threads = randomInt(1, 4)
    if (threads === 1) return live(world, afterMs)
    return live({ ...world, threads }, randomInt(AT_WORK_MS), AT_WORK)
  })
}, 600_000)

async function kill(count: number, atOnce: number, begin: Begin): Promise<void> {
  let kills = 0
  const lanes = Array.from({ length: atOnce }, (_, lane) => lane)
  await inParallel(atOnce, lanes, async () => {
    while (kills < count) kills += await killSome(begin)
  })
  expect(kills).toBeGreaterThanOrEqual(count)
}

/** Kills the lives of one world, one after the other, and looks at what is left; resolves with the kills. */
async function killSome(begin: Begin): Promise<number> {
  const world = await worlds.make('two sinks')
  const moments: number[] = []
  for (let life = 0; life < KILLS_PER_WORLD; life++) {
    const afterMs = randomInt(KILL_AFTER_MS.min, KILL_AFTER_MS.max)
    if ((await begin(world, afterMs)) === 'lived') break
    moments.push(afterMs)
  }
  expect(await worlds.outcome(world), `killed after ${moments.join(', ')} ms`).toEqual(expected)
  await worlds.drop(world)
  return moments.length
}
