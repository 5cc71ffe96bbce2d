import type { Plan } from '../../plan.ts'
import { inputTopics, outputTopics } from '../topics.ts'

/** What must be alike in all threads for them to run the same pipeline. */
export function outlineOf(plan: Plan): string {
  const stages = plan.stages.map((stage) => ({
    id: stage.id,
    kind: stage.kind,
    reads: inputTopics(stage),
    writes: outputTopics(stage),
    nodes: stage.nodes.map(({ id }) => id),
    sink: stage.kind === 'deliver' ? stage.sink.name : undefined,
  }))
  return JSON.stringify({ pipeline: plan.pipeline, stages })
}
