import { expect, test } from 'vitest'
import { soak } from './soak.ts'
import { brokenPromises } from './verdict.ts'

// CI gives it ten; `npm run soak` four hours.
const minutes = Number(process.env['MILLRACE_SOAK_MINUTES'] ?? 1)
const plan = { minutes, rate: 20_000, seed: 20_011 }
// Shorter runs can't tell.
const flat = minutes < 10 ? '' : ', and memory and open files do not grow'

test(
  `${minutes} minutes of steady load and random kills leave every sum exact and the disk bounded${flat}`,
  async () => {
    expect(brokenPromises(plan, await soak(plan))).toEqual([])
  },
  (minutes + 20) * 60_000,
)
