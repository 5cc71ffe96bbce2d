import { type Log, type NewTopic, type TopicDescription, UsageError } from '@millrace/core'
import type { InternalTopic, Plan, Stage } from '../plan.ts'
import type { Topic } from '../topic.ts'
import { deadLetterTopic } from './dead-letter.ts'

/** The topics of a run as they are in the log, by name. */
export type Topics = ReadonlyMap<string, TopicDescription>

// Hand-over topics and changelogs give up whole segments; small ones give disk back soon.
const TRIMMED_SEGMENT_BYTES = 16 * 1024 * 1024

// Of positions only the last are needed.
const POSITIONS_SEGMENT_BYTES = 1024 * 1024

// Also what was too large for its own topic must find room here, and all letters of an epoch at once.
const DEAD_LETTERS_BYTES_MAX = 64 * 1024 * 1024

/** Where the positions of a pipeline's sources are kept: key = stage, value = position. */
export function sourcesTopic(pipeline: string): string {
  return `__${pipeline}-sources`
}

/** Where a pipeline's topology is kept, to be compared by the next run. */
export function topologyTopic(pipeline: string): string {
  return `__${pipeline}-topology`
}

/**
 * Creates what is missing of a plan's topics and checks the others.
 *
 * @throws UsageError when a topic has another number of partitions than the pipeline declares.
 */
export async function prepareTopics(
  log: Log,
  plan: Plan,
  keepsDeadLetters: boolean,
): Promise<Topics> {
  const topics = new Map<string, TopicDescription>()
  for (const topic of await log.listTopics()) topics.set(topic.name, topic)
  const ensure = async (wanted: NewTopic) => {
    const found = topics.get(wanted.name)
    if (found === undefined) topics.set(wanted.name, await log.createTopic(wanted))
    else checkPartitions(found, wanted)
  }
  for (const topic of userTopics(plan)) await ensure(newTopic(topic))
  for (const internal of inCreationOrder(plan.internalTopics)) {
    await ensure(newInternalTopic(internal, topics))
  }
  const config = { cleanup: 'compact', segmentBytes: POSITIONS_SEGMENT_BYTES } as const
  const compacted = { partitions: 1, internal: true, config }
  await ensure({ name: sourcesTopic(plan.pipeline), ...compacted })
  await ensure({ name: topologyTopic(plan.pipeline), ...compacted })
  if (keepsDeadLetters) {
    const config = { cleanup: 'compact', maxMessageBytes: DEAD_LETTERS_BYTES_MAX } as const
    await ensure({ name: deadLetterTopic(plan.pipeline), config })
  }
  return topics
}

/** The names of the topics that a stage reads. */
export function inputTopics(stage: Stage): readonly string[] {
  if (stage.kind === 'ingest') return []
  const inputs = stage.kind === 'process' ? stage.inputs : [stage.input]
  return inputs.map((input) => input.topic.name)
}

/** The names of the topics that a stage writes, each once. */
export function outputTopics(stage: Stage): readonly string[] {
  if (stage.kind === 'deliver') return []
  return [...new Set(stage.outputs.map((output) => output.topic.name))]
}

function userTopics(plan: Plan): Iterable<Topic> {
  const topics = new Map<string, Topic>()
  for (const stage of plan.stages) {
    const inputs = stage.kind === 'process' ? stage.inputs : [stage.input]
    const read = inputs.flatMap((input) => (input.kind === 'topic' ? [input.topic] : []))
    const written = stage.kind === 'deliver' ? [] : stage.outputs.map((output) => output.topic)
    for (const topic of [...read, ...written]) {
      if (topic.internal) continue
      const known = topics.get(topic.name)
      if (known?.partitions === undefined) topics.set(topic.name, topic)
    }
  }
  return topics.values()
}

function newTopic(topic: Topic): NewTopic {
  const { name, partitions, config } = topic
  return partitions === undefined ? { name, config } : { name, partitions, config }
}

/** Those that take their partition count from others come after them. */
function inCreationOrder(topics: readonly InternalTopic[]): readonly InternalTopic[] {
  const byName = new Map(topics.map((internal) => [internal.topic.name, internal]))
  const ordered = new Set<InternalTopic>()
  const visit = (internal: InternalTopic) => {
    if (ordered.has(internal)) return
    for (const name of internal.partitionsLike) {
      const other = byName.get(name)
      if (other !== undefined && other !== internal) visit(other)
    }
    ordered.add(internal)
  }
  for (const internal of topics) visit(internal)
  return [...ordered]
}

function newInternalTopic(
  { topic, purpose, partitionsLike }: InternalTopic,
  topics: Topics,
): NewTopic {
  const like = partitionsLike.map((name) => topics.get(name)?.partitions.length ?? 1)
  return {
    name: topic.name,
    internal: true,
    partitions: topic.partitions ?? Math.max(1, ...like),
    config: {
      segmentBytes: TRIMMED_SEGMENT_BYTES,
      ...(purpose === 'changelog' ? { cleanup: 'compact' } : {}),
      ...topic.config,
    },
  }
}

function checkPartitions(found: TopicDescription, wanted: NewTopic): void {
  const has = found.partitions.length
  if (wanted.partitions === undefined || wanted.partitions === has) return
  const remedy =
    wanted.internal === true
      ? `It was made for another number of input partitions, and its records lie by key. Run the pipeline ` +
        `under another name, or delete the topic to begin again without what it holds.`
      : `Declare partitions: ${has} in the pipeline, or use another topic; changing the number would ` +
        `separate the records of one key.`
  throw new UsageError(
    'TOPOLOGY_CHANGED',
    `The topic ${wanted.name} has ${has} partitions, the pipeline needs ${wanted.partitions}. ${remedy}`,
    { facts: { topic: wanted.name, partitions: has, wanted: wanted.partitions } },
  )
}
