import { expect, test } from 'vitest'
import { growth } from './samples.ts'
import { soak } from './soak.ts'

// CI gives it ten; `npm run soak` four hours.
const minutes = Number(process.env['MILLRACE_SOAK_MINUTES'] ?? 1)
const plan = { minutes, rate: 20_000, seed: 20_011 }
const GROWTH_MAX = 1.3
// Shorter runs have not yet filled what retention lets them keep.
const TELLING_MINUTES = 10

test(
  `${minutes} minutes of steady load and random kills leave every sum exact, and nothing grows`,
  async () => {
    const { minutes: samples, ...result } = await soak(plan)
    expect(result).toMatchObject({ different: 0, late: 0, skipped: 0 })
    expect(result.kills).toBeGreaterThan(0)
    if (minutes < TELLING_MINUTES) return
    for (const measure of ['rssBytes', 'openFiles', 'diskBytes'] as const) {
      expect(growth(samples, measure), measure).toBeLessThan(GROWTH_MAX)
    }
  },
  (minutes + 10) * 60_000,
)
