import { inParallel } from '../crash/in-parallel.ts'
import { checkLeft, checkWords } from './check.ts'
import { type Life, live } from './life.ts'
import type { Blow, Strike, TracedCall } from './strace.ts'
import type { Workload } from './workload.ts'

const AT_ONCE = 2
const BLOWS: readonly Blow[] = ['EIO', 'ENOSPC', 'SIGKILL']

/** What striking a workload came to. */
export interface Tally {
  /** System calls on its files, undisturbed. */
  readonly calls: number
  readonly strikes: number
  /** Lives in which the call came, and was struck. */
  readonly struck: number
  /** Broken promises, with the command that breaks them again. */
  readonly broken: readonly string[]
}

/** Fails each call of a workload with each blow, or every n-th of these, and checks what is left. */
export async function strikeAll(workload: Workload, everyNth = 1): Promise<Tally> {
  const calls = await live(workload.name, undefined, async (directory, life) => {
    if (life.end !== 'lived' || life.testimony.errors.length > 0) throw undisturbed(workload, life)
    await checkLeft(workload, directory, life)
    return life.calls
  })
  const all = calls.flatMap(({ call, ordinal }) => BLOWS.map((blow) => ({ call, ordinal, blow })))
  const strikes = all.filter((_, n) => n % everyNth === workload.name.length % everyNth)
  const broken: string[] = []
  let struck = 0
  await inParallel(AT_ONCE, strikes, async (strike) => {
    const { wasStruck, fault } = await strikeOnce(workload, strike)
    if (wasStruck) struck++
    if (fault !== undefined) broken.push(fault)
  })
  return { calls: calls.length, strikes: strikes.length, struck, broken }
}

async function strikeOnce(
  workload: Workload,
  strike: Strike,
): Promise<{ wasStruck: boolean; fault: string | undefined }> {
  let struck: TracedCall | undefined
  try {
    await live(workload.name, strike, async (directory, life) => {
      struck = life.struck
      checkWords(strike, life)
      await checkLeft(workload, directory, life)
    })
    return { wasStruck: struck !== undefined, fault: undefined }
  } catch (error) {
    const { call, ordinal, blow } = strike
    const words = error instanceof Error ? error.message : String(error)
    const fault = `${workload.name}, ${blow} at ${call} ${ordinal}: ${words}\n${struck?.line}`
    return { wasStruck: struck !== undefined, fault }
  }
}

function undisturbed(workload: Workload, { end, testimony }: Life): Error {
  return new Error(`${workload.name}, undisturbed: ${end} ${JSON.stringify(testimony.errors)}`)
}
