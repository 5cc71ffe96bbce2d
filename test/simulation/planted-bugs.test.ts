import { describe, expect, test } from 'vitest'
import { timesFound } from './plant.ts'
import { plantedBugs } from './planted-bugs.ts'
import { runInProcess } from './pool.ts'

/** Lives within which each planted bug must be found. */
const SEED_BUDGET = 1000

test('at least twenty bugs are planted', () => {
  expect(plantedBugs.length).toBeGreaterThanOrEqual(20)
})

describe('the simulation finds a planted bug', () => {
  test.each(plantedBugs)('$name', async (bug) => {
    expect(timesFound(bug), `times that the text to replace stands in ${bug.file}`).toBe(1)
    const { name, firstSeed = 1 } = bug
    const request = { firstSeed, count: SEED_BUDGET, step: 1, failuresMax: 1, bug: name }
    const { failures } = await runInProcess(request)
    const [failure] = failures
    console.log(
      `${bug.name}: ${failure === undefined ? 'not found' : `found by seed ${failure.seed}`}`,
    )
    expect(failure?.message).toBeDefined()
  })
})
