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

type LogStage = Exclude<Stage, { kind: 'deliver' }>

/** What becomes of the records of a node or input. */
function flowLines(stage: LogStage, from: string, indent: number): string[] {
  const margin = ' '.repeat(indent)
  const outputs = stage.outputs.filter((output) => output.from === from)
  return [
    ...outputs.map((output) => margin + outputText(output)),
    ...nodesAfter(stage, from).flatMap((node) => {
      const line = margin + nodeText(node)
      // A merged stream is followed where its last input has been said.
      if (node.inputs.at(-1) !== from) return [line]
      return [line, ...flowLines(stage, node.id, isFork(stage, node.id) ? indent + 2 : indent)]
    }),
  ]
}

function isFork(stage: LogStage, from: string): boolean {
  const outputs = stage.outputs.filter((output) => output.from === from && !output.aside)
  return nodesAfter(stage, from).length + outputs.length > 1
}

function nodesAfter(stage: LogStage, from: string): readonly StageNode[] {
  return stage.nodes.filter((node) => node.inputs.includes(from))
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
