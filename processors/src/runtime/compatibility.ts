import { BatchWriter, type Log, UsageError } from '@millrace/core'
import type { Plan, ProcessStage } from '../plan.ts'
import { readToEnd } from './compacted-topic.ts'
import { inputTopics, type Topics, topologyTopic } from './topics.ts'
import { fenceFormerThreads } from './transactional-id.ts'

/** What the next run must find unchanged, as kept in the log. */
interface KeptTopology {
  readonly stages: readonly KeptStage[]
  /** Whose transactions may have been left open; 1 unless it is said. */
  readonly threads?: number
}

interface KeptStage {
  readonly id: string
  readonly inputs: readonly { readonly topicId: string; readonly partitions: number }[]
  readonly stores: readonly KeptStore[]
}

interface KeptStore {
  readonly name: string
  readonly shape: string
  /** The stage went on without it, so it lacks records. */
  readonly isBehind?: true
}

/**
 * Compares the stages that hold state with those of the last run, fences its threads, and keeps both for
 * the next.
 *
 * @throws UsageError naming the change that the kept state does not survive, and the ways out.
 */
export async function checkTopology(
  log: Log,
  plan: Plan,
  topics: Topics,
  threads: number,
): Promise<void> {
  const topic = topologyTopic(plan.pipeline)
  let keptText: string | undefined
  await readToEnd(log, topic, 0, (cursor) => {
    keptText = cursor.value === null ? undefined : Buffer.from(cursor.value).toString()
  })
  const now = { ...describe(plan, topics), ...(threads > 1 && { threads }) }
  const kept = keptText === undefined ? undefined : (JSON.parse(keptText) as KeptTopology)
  if (kept !== undefined) compare(plan.pipeline, kept, now)
  await fenceFormerThreads(log, plan, kept?.threads ?? 1, threads)
  const next = JSON.stringify(kept === undefined ? now : withLeftOvers(plan, kept, now))
  if (keptText === next) return
  const batch = new BatchWriter()
  batch.append(plan.pipeline, next, 0)
  await log.append({ topic, partition: 0, batch: batch.finish() })
}

function describe(plan: Plan, topics: Topics): KeptTopology {
  const holders = plan.stages.filter(
    (stage): stage is ProcessStage => stage.kind === 'process' && stage.stores.length > 0,
  )
  return {
    stages: holders.map((stage) => ({
      id: stage.id,
      inputs: inputTopics(stage).map((name) => {
        const topic = topics.get(name)
        return { topicId: topic?.topicId ?? '', partitions: topic?.partitions.length ?? 0 }
      }),
      stores: stage.stores.map(({ name, shape }) => ({ name, shape })),
    })),
  }
}

/** Adds the state that lies in the log though nobody uses it now: a later run may want it again. */
function withLeftOvers(plan: Plan, kept: KeptTopology, now: KeptTopology): KeptTopology {
  const behind = ({ name, shape }: KeptStore): KeptStore => ({ name, shape, isBehind: true })
  const used = now.stages.map((stage) => {
    const before = kept.stages.find(({ id }) => id === stage.id)?.stores ?? []
    const left = before.filter(({ name }) => stage.stores.every((store) => store.name !== name))
    return { ...stage, stores: [...stage.stores, ...left.map(behind)] }
  })
  const unused = kept.stages
    .filter(({ id }) => now.stages.every((stage) => stage.id !== id))
    .map((stage) => {
      // A stage that does not run stays where it is, and its state with it.
      const goesOn = plan.stages.some(({ id }) => id === stage.id)
      return goesOn ? { ...stage, stores: stage.stores.map(behind) } : stage
    })
  return { ...now, stages: [...used, ...unused] }
}

function compare(pipeline: string, kept: KeptTopology, now: KeptTopology): void {
  for (const stage of now.stages) {
    const before = kept.stages.find((other) => other.id === stage.id)
    if (before === undefined) continue
    const stores = stage.stores.filter((store) => changed(before, store))
    if (stores.length > 0) throw changedState(pipeline, stage.id, stores)
    const late = stage.stores.filter((store) => isBehind(before, store))
    if (late.length > 0) throw missedRecords(pipeline, stage.id, late)
    if (JSON.stringify(before.inputs) === JSON.stringify(stage.inputs)) continue
    throw changedInputs(pipeline, stage.id, before, stage)
  }
}

function changed(before: KeptStage, store: KeptStage['stores'][number]): boolean {
  const other = before.stores.find(({ name }) => name === store.name)
  return other !== undefined && other.shape !== store.shape
}

function isBehind(before: KeptStage, store: KeptStore): boolean {
  return before.stores.some(({ name, isBehind: lacks }) => name === store.name && lacks === true)
}

function missedRecords(pipeline: string, stage: string, stores: KeptStage['stores']): UsageError {
  const names = stores.map(({ name }) => name)
  return new UsageError(
    'TOPOLOGY_CHANGED',
    `The state ${names.join(', ')} of ${pipeline} / ${stage} lacks the records that were processed while its ` +
      `operator was taken out. Give the operator a name of its own to begin it afresh with what comes ` +
      `from now on, or run under another pipeline name to build everything from the beginning.`,
    { facts: { pipeline, stage, stores: names } },
  )
}

function changedState(pipeline: string, stage: string, stores: KeptStage['stores']): UsageError {
  const names = stores.map((store) => `${store.name} (now ${store.shape})`).join(', ')
  return new UsageError(
    'TOPOLOGY_CHANGED',
    `The state of ${pipeline} / ${stage} was made by other operators: ${names}. ` +
      `Give the changed operator a name of its own to begin it afresh, or undo the change.`,
    { facts: { pipeline, stage, stores: stores.map(({ name }) => name) } },
  )
}

function changedInputs(
  pipeline: string,
  stage: string,
  before: KeptStage,
  now: KeptStage,
): UsageError {
  const count = ({ inputs }: KeptStage) => inputs.map((input) => input.partitions).join(' and ')
  const what =
    count(before) === count(now)
      ? 'reads other topics than those its state was made from (or they were deleted and made anew)'
      : `has state for ${count(before)} input partitions, and they are ${count(now)} now`
  return new UsageError(
    'TOPOLOGY_CHANGED',
    `${pipeline} / ${stage} ${what}. Run it under another pipeline name to build the state afresh from ` +
      `the beginning of its input, or bring back the topics as they were.`,
    { facts: { pipeline, stage } },
  )
}
