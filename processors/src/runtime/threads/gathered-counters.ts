import type { Stage } from '../../plan.ts'
import { StageCounters, type StageProgress, type StageState } from '../progress.ts'

/** The counters of each stage, summed over the threads that it runs in. */
export class GatheredCounters {
  /** Of the stages, in their order. */
  readonly counters: readonly StageCounters[]
  /** The last report of each thread, by thread and stage. */
  readonly #reports = new Map<number, readonly StageProgress[]>()

  constructor(stages: readonly Stage[]) {
    this.counters = stages.map(({ id, kind }) => new StageCounters(id, kind))
  }

  /** Takes in what a thread reports of its stages. */
  report(thread: number, progress: readonly StageProgress[]): void {
    this.#reports.set(thread, progress)
    const all = [...this.#reports.values()].flat()
    for (const counters of this.counters) {
      const parts = all.filter(({ id }) => id === counters.id)
      if (parts.length > 0) Object.assign(counters, sumOf(parts))
    }
  }
}

const SUMMED = [
  'rows',
  'bytes',
  'rowsBefore',
  'late',
  'withoutKey',
  'skipped',
  'deadLetters',
  'restored',
  'restoreLeft',
  'restoreLeft',
] as const

function sumOf(parts: readonly StageProgress[]): Partial<StageCounters> {
  const sums: Partial<StageCounters> = { state: stateOf(parts.map(({ state }) => state)) }
  for (const name of SUMMED) sums[name] = parts.reduce((sum, part) => sum + part[name], 0)
  sums.rowsLeft = sumOfKnown(parts.map(({ rowsLeft }) => rowsLeft))
  sums.bytesTotal = sumOfKnown(parts.map(({ bytesTotal }) => bytesTotal))
  return sums
}

function sumOfKnown(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0)
}

/** One that works says more than one that waits; only when all have ended has the stage. */
function stateOf(states: readonly StageState[]): StageState {
  const order = ['running', 'restoring', 'starting', 'waiting'] as const
  return order.find((state) => states.includes(state)) ?? 'ended'
}
