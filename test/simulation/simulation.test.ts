import { describe, expect, test } from 'vitest'
import { knownSeeds } from './known-seeds.ts'
import { runInProcess } from './pool.ts'
import { Tally } from './tally.ts'

const LIVES = 5000
const WORKERS = 2

test(
  'an acknowledged record survives every crash, and nothing is invented, moved or half shown',
  { timeout: 900_000 },
  async () => {
    const results = await Promise.all(
      Array.from({ length: WORKERS }, (_, index) =>
        runInProcess({ firstSeed: index, count: LIVES / WORKERS, step: WORKERS, failuresMax: 1 }),
      ),
    )
    const tally = new Tally()
    for (const result of results) tally.add(result.tally)
    const replays = results.flatMap(({ failures }) =>
      failures.map(({ seed, message }) => `npm run sim -- --seed ${seed}\n${message}`),
    )
    console.log(`${tally.lives} lives\n${tally.report()}`)
    expect(replays).toEqual([])
    expect(tally.lives).toBe(LIVES)
    expect(tally.belowFloor).toEqual([])
  },
)

test('the same seed lives the same life', async () => {
  const request = { firstSeed: 42, count: 3, step: 1, failuresMax: 1 }
  const first = await runInProcess(request)
  expect(await runInProcess(request)).toEqual(first)
})

describe('seeds that once found a bug', () => {
  test.each(knownSeeds)('$seed: $found', async ({ seed }) => {
    const result = await runInProcess({ firstSeed: seed, count: 1, step: 1, failuresMax: 1 })
    expect(result.failures).toEqual([])
  })
})
