import type { Pipeline } from './pipeline.ts'
import type { Stage, StageNode, StageOutput } from './plan.ts'

/** A pipeline's stages as indented text: what each reads, does, keeps and writes, and where it commits. */
export function topologyText({ name, plan }: Pipeline): string {
  const lines = [`pipeline ${name}`]
  for (const stage of plan.stages) lines.push('', ...stageLines(stage))
  return `${lines.join('\n')}\n`
}

function stageLines(stage: Stage): string[] {
  switch (stage.kind) {
    case 'ingest': {
      const { input } = stage
      return [
        `${stage.id}: ingest, commits in the log`,
        `  ${input.source.name}`,
        ...flowLines(stage, input.id, 4),
      ]
    }
    case 'process':
      return [
        `${stage.id}: process, commits in the log`,
        ...stage.inputs.flatMap(({ id, topic }) => [`  ${topic.name}`, ...flowLines(stage, id, 4)]),
      ]
    case 'deliver':
      return [
        `${stage.id}: deliver, commits in ${stage.sink.name}`,
        `  ${stage.input.topic.name}`,
        ...stage.nodes.map((node) => `    ${nodeText(node)}`),
        `    → ${stage.sink.name} (${stage.sink.mode}, ${stage.sink.guarantee})`,
      ]
  }
}

/** What becomes of the records of a node or input, each fork indented further. */
function flowLines(
  stage: Exclude<Stage, { kind: 'deliver' }>,
  from: string,
  indent: number,
): string[] {
  const margin = ' '.repeat(indent)
  const outputs = stage.outputs.filter((output) => output.from === from)
  const nodes = stage.nodes.filter((node) => node.inputs.includes(from))
  const isFork = nodes.length + outputs.filter((output) => !output.aside).length > 1
  return [
    ...outputs.map((output) => margin + outputText(output)),
    ...nodes.flatMap((node) => [
      margin + nodeText(node),
      // A merged stream is followed where its last input has been said.
      ...(node.inputs.at(-1) === from
        ? flowLines(stage, node.id, isFork ? indent + 2 : indent)
        : []),
    ]),
  ]
}

function nodeText({ step, store }: StageNode): string {
  const name = step.name === undefined ? '' : ` "${step.name}"`
  const detail = step.detail === undefined ? '' : ` (${step.detail})`
  return `${step.kind}${name}${detail}${store === undefined ? '' : ` [state ${store.name}]`}`
}

function outputText({ topic, aside, lastPerKey }: StageOutput): string {
  const notes = [
    topic.internal && 'internal',
    aside && 'late records',
    lastPerKey && 'last per key',
  ].filter((note) => note !== false)
  return `→ ${topic.name}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`
}
