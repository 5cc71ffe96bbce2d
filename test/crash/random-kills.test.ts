import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { live } from './child.ts'
import { inParallel } from './in-parallel.ts'
import { type Outcome, Worlds } from './worlds.ts'

const KILLS = 100
const LIVES_AT_ONCE = 3
// A world is given up to its last, undisturbed life after so many kills.
const KILLS_PER_WORLD = 5
// From before the first module is loaded to about the end of a life.
const KILL_AFTER_MS = { min: 200, max: 1200 }

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
  let kills = 0
  const lanes = Array.from({ length: LIVES_AT_ONCE }, (_, lane) => lane)
  await inParallel(LIVES_AT_ONCE, lanes, async () => {
    while (kills < KILLS) kills += await killSome()
  })
  expect(kills).toBeGreaterThanOrEqual(KILLS)
}, 600_000)

/** Kills the lives of one world, one after the other, and looks at what is left; resolves with the kills. */
async function killSome(): Promise<number> {
  const world = await worlds.make('two sinks')
  const moments: number[] = []
  for (let life = 0; life < KILLS_PER_WORLD; life++) {
    const afterMs = randomInt(KILL_AFTER_MS.min, KILL_AFTER_MS.max)
    if ((await live(world, afterMs)) === 'lived') break
    moments.push(afterMs)
  }
  expect(await worlds.outcome(world), `killed after ${moments.join(', ')} ms`).toEqual(expected)
  await worlds.drop(world)
  return moments.length
}
