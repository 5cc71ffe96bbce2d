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
// Most kills strike work: they wait for the life's first commit, however slow the machine, and then so long.
const AT_WORK_MS = 300
// Of so many one strikes while modules load, the log opens and recovers; these are not counted.
const EARLY_EVERY = 8
const EARLY_MS = 600

/** Where a life is killed: so long after its start, or after its first commit. */
interface Moment {
  readonly afterMs: number
  readonly word?: string
}

/** Begins a life that is killed. */
type Begin = (world: World, moment: Moment) => Promise<End>

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
  await kill(KILLS, LIVES_AT_ONCE, (world, { afterMs, word }) => live(world, afterMs, word))
}, 1_200_000)

test(`${KILLS_IN_THREADS} kills of runs divided among 1, 2 or 3 threads in turn do as little harm`, async () => {
  await kill(KILLS_IN_THREADS, 1, (world, { afterMs, word }) => {
    const threads = randomInt(1, 4)
    return live(threads === 1 ? world : { ...world, threads }, afterMs, word)
  })
}, 1_200_000)

/** Kills until so many have struck work. */
async function kill(count: number, atOnce: number, begin: Begin): Promise<void> {
  const struck = { atWork: 0, early: 0 }
  const lanes = Array.from({ length: atOnce }, (_, lane) => lane)
  await inParallel(atOnce, lanes, async () => {
    while (struck.atWork < count) {
      for (const { word } of await killSome(begin))
        struck[word === undefined ? 'early' : 'atWork']++
    }
  })
  console.log(`${struck.atWork} kills struck a life at work, ${struck.early} any life`)
}

/** Kills the lives of one world, one after the other, and looks at what is left; resolves with the kills. */
async function killSome(begin: Begin): Promise<readonly Moment[]> {
  const world = await worlds.make('two sinks')
  const moments: Moment[] = []
  for (let life = 0; life < KILLS_PER_WORLD; life++) {
    const moment = randomMoment()
    if ((await begin(world, moment)) === 'lived') break
    moments.push(moment)
  }
  expect(await worlds.outcome(world), `killed ${JSON.stringify(moments)}`).toEqual(expected)
  await worlds.drop(world)
  return moments
}

function randomMoment(): Moment {
  if (randomInt(EARLY_EVERY) === 0) return { afterMs: randomInt(EARLY_MS) }
  return { afterMs: randomInt(AT_WORK_MS), word: AT_WORK }
}
