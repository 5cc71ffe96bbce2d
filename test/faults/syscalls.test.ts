import { expect, test } from 'vitest'
import { strikeAll } from './strike-all.ts'
import { whyNoStrace } from './strace.ts'
import { allWorkloads } from './workloads.ts'

// All of them take half an hour (`npm run faults`); a test run takes every n-th, always the same. No multiple of
// 3, the number of blows: each comes in turn.
const EVERY_NTH = 10

const workloads = await allWorkloads()
const missing = await whyNoStrace()
if (missing !== undefined) console.warn(`System calls are not failed here: ${missing}.`)

test
  .skipIf(missing !== undefined)
  .for(workloads.map((workload) => [workload.name, workload] as const))(
  '%s: a system call that fails, or is the last, loses nothing answered and shows nothing half',
  async ([, workload]) => {
    const { broken, struck, strikes } = await strikeAll(workload, EVERY_NTH)
    expect(broken).toEqual([])
    expect(struck).toBeGreaterThan(strikes / 2)
  },
)
