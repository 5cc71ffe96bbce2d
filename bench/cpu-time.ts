import { readdirSync, readFileSync } from 'node:fs'
import { median } from './paired.ts'

/** Processor time of one run of some work, in nanoseconds. */
export interface CpuTime {
  /** Of the thread that runs JavaScript. */
  readonly mainNs: number
  /** Of all other threads of this process: system calls, garbage collection, compilation. */
  readonly otherNs: number
  /** From start to end. */
  readonly wallNs: number
}

const rounds = 7
const warmUps = 2
/** The system counts processor time in steps of some milliseconds: shorter work is repeated. */
const runNsMin = 60e6

/** Runs `work` several times; the median of each time, warm-ups left out. */
export async function cpuTimeOf(work: () => Promise<void> | void): Promise<CpuTime> {
  const runs: CpuTime[] = []
  let repeats = 1
  for (let round = -warmUps; round < rounds; round++) {
    const run = await timeOf(work, repeats)
    if (round >= 0) runs.push(run)
    else repeats = Math.ceil(runNsMin / run.wallNs)
  }
  return {
    mainNs: median(runs.map(({ mainNs }) => mainNs)),
    otherNs: median(runs.map(({ otherNs }) => otherNs)),
    wallNs: median(runs.map(({ wallNs }) => wallNs)),
  }
}

async function timeOf(work: () => Promise<void> | void, repeats: number): Promise<CpuTime> {
  const startMs = performance.now()
  const processBefore = process.cpuUsage()
  const mainBefore = process.threadCpuUsage()
  for (let i = 0; i < repeats; i++) await work()
  const mainNs = sum(process.threadCpuUsage(mainBefore)) / repeats
  const otherNs = sum(process.cpuUsage(processBefore)) / repeats - mainNs
  const wallNs = ((performance.now() - startMs) * 1e6) / repeats
  return { mainNs, otherNs: Math.max(0, otherNs), wallNs }
}

function sum({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) * 1000
}

const tickNs = 1e7

/** Processor time so far of a process and its children, ended ones included, in nanoseconds. */
export function processTreeNs(rootPid: number): number {
  const stats = readdirSync('/proc').flatMap((name) => statOf(Number(name)) ?? [])
  const own = stats.filter(({ pid, parent }) => pid === rootPid || parent === rootPid)
  return own.reduce((total, { pid, ticks, endedTicks }) => {
    return total + (ticks + (pid === rootPid ? endedTicks : 0)) * tickNs
  }, 0)
}

function statOf(
  pid: number,
): { pid: number; parent: number; ticks: number; endedTicks: number } | undefined {
  if (!Number.isInteger(pid)) return undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name may hold anything; what follows it is numbers.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [parent, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map((at) =>
      Number(fields[at]),
    ) as [number, number, number, number, number]
    return { pid, parent, ticks: user + system, endedTicks: endedUser + endedSystem }
  } catch {
    // It has ended.
    return undefined
  }
}
