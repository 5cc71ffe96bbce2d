import type { Plan, Stage } from '../plan.ts'
import { inputTopics, outputTopics, type Topics } from './topics.ts'

/**
 * What one thread does of a run: of each stage that it has a part in, groups of partitions. A group of a
 * deliver stage shares a connection; those of the others are single partitions (a source counts as one).
 */
export type Share = ReadonlyMap<string, readonly (readonly number[])[]>

/** A piece of work that stays together, and how heavy it is taken to be. */
interface Unit {
  readonly stage: string
  readonly partitions: readonly number[]
  readonly weight: number
}

/** Parsing a file and writing its records takes about twice as long as reading them back once (measured). */
const WEIGHT_OF_SOURCE = 2

/** Grouping leaves less than it takes: what flows on behind a stage with state is taken for this part. */
const LEFT_BY_STATE = 0.25

/**
 * Which tasks run in which thread. The heaviest first, each to the thread with the least to do, all
 * records being taken for equally heavy: a source weighs as much as all tasks together of two stages that
 * read its records. The same plan and counts are always divided in the same way.
 *
 * @returns one share a thread; empty where there is less work than threads.
 */
export function divideTasks(
  plan: Plan,
  topics: Topics,
  { threads, connections }: { readonly threads: number; readonly connections: number },
): readonly Share[] {
  const flows = flowsOf(plan)
  const units = plan.stages.flatMap((stage) => unitsOf(stage, topics, flows, connections))
  const shares = Array.from({ length: threads }, () => new Map<string, (readonly number[])[]>())
  const loads = shares.map(() => 0)
  for (const { stage, partitions, weight } of units.toSorted((a, b) => b.weight - a.weight)) {
    const thread = loads.indexOf(Math.min(...loads))
    loads[thread] = (loads[thread] ?? 0) + weight
    const groups = shares[thread]?.get(stage) ?? []
    groups.push(partitions)
    shares[thread]?.set(stage, groups)
  }
  return shares
}

/** Records that flow through each topic, where every source and every topic from outside gives 1. */
function flowsOf(plan: Plan): ReadonlyMap<string, number> {
  const flows = new Map<string, number>()
  for (const stage of plan.stages) {
    const taken = stage.kind === 'ingest' ? 1 : flowInto(stage, flows)
    const given = stage.kind === 'process' && stage.stores.length > 0 ? LEFT_BY_STATE : 1
    for (const topic of outputTopics(stage)) flows.set(topic, taken * given)
  }
  return flows
}

function flowInto(stage: Stage, flows: ReadonlyMap<string, number>): number {
  return inputTopics(stage).reduce((sum, topic) => sum + (flows.get(topic) ?? 1), 0)
}

function unitsOf(
  stage: Stage,
  topics: Topics,
  flows: ReadonlyMap<string, number>,
  connections: number,
): Unit[] {
  if (stage.kind === 'ingest')
    return [{ stage: stage.id, partitions: [0], weight: WEIGHT_OF_SOURCE }]
  const counts = inputTopics(stage).map((name) => topics.get(name)?.partitions.length ?? 0)
  const count = Math.max(...counts)
  const groupCount = stage.kind === 'deliver' ? Math.min(connections, count) : count
  return Array.from({ length: groupCount }, (_, group) => {
    const all = Array.from({ length: count }, (__, partition) => partition)
    const partitions = all.filter((partition) => partition % groupCount === group)
    const weight = (flowInto(stage, flows) * partitions.length) / count
    return { stage: stage.id, partitions, weight }
  })
}
