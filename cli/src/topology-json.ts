import type { Pipeline, Stage, StageNode } from '@millrace/processors'

/** A pipeline's stages as one JSON document, for programs; functions and secrets are left out. */
export function topologyJson({ name, plan }: Pipeline): string {
  const topics = plan.internalTopics.map(({ topic, purpose }) => ({ name: topic.name, purpose }))
  const document = { pipeline: name, stages: plan.stages.map(stageFacts), internalTopics: topics }
  return JSON.stringify(document, undefined, 2)
}

function stageFacts(stage: Stage) {
  const { id, kind } = stage
  const steps = stage.nodes.map(stepFacts)
  switch (stage.kind) {
    case 'ingest':
      return { id, kind, inputs: [stage.input.source.name], steps, outputs: topicsOf(stage) }
    case 'process':
      return {
        id,
        kind,
        inputs: stage.inputs.map(({ topic }) => topic.name),
        steps,
        outputs: topicsOf(stage),
      }
    case 'deliver':
      return { id, kind, inputs: [stage.input.topic.name], steps, outputs: [stage.sink.name] }
  }
}

function stepFacts({ id, step, inputs, store }: StageNode) {
  return { id, kind: step.kind, detail: step.detail, inputs, store: store?.name }
}

function topicsOf({ outputs }: Extract<Stage, { outputs: unknown }>): string[] {
  return outputs.map(({ topic }) => topic.name)
}
