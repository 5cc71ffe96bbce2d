import type { Pipeline } from './pipeline.ts'
import type { Stage } from './plan.ts'
import type { Topic } from './topic.ts'

/** A pipeline as a Mermaid flowchart: stages as boxes, topics as cylinders, sources and sinks outside. */
export function topologyMermaid({ plan }: Pipeline): string {
  const chart = new Chart()
  for (const stage of plan.stages) chart.addStage(stage)
  return chart.text()
}

class Chart {
  readonly #ids = new Map<string, string>()
  readonly #shapes: string[] = []
  readonly #boxes: string[] = []
  readonly #arrows: string[] = []

  addStage(stage: Stage): void {
    if (stage.nodes.length > 0) this.#addBox(stage)
    for (const node of stage.nodes) {
      for (const input of node.inputs)
        this.#arrow(this.#end(stage, input), this.#end(stage, node.id))
    }
    if (stage.kind === 'deliver') {
      const from = stage.nodes.at(-1)?.id ?? stage.input.id
      this.#arrow(this.#end(stage, from), this.#shape(stage.sink.name, '[/', '/]'))
      return
    }
    for (const { from, topic, aside } of stage.outputs) {
      this.#arrow(this.#end(stage, from), this.#topic(topic), aside ? 'late' : undefined)
    }
  }

  #addBox(stage: Stage): void {
    this.#boxes.push(`  subgraph ${this.#id(`stage ${stage.id}`)}["${label(stage.id)}"]`)
    for (const { id, step, store } of stage.nodes) {
      const detail = step.detail === undefined ? '' : `: ${step.detail}`
      const state = store === undefined ? '' : `<br>state ${store.name}`
      const text = label(`${step.name ?? step.kind}${detail}${state}`)
      this.#boxes.push(`    ${this.#id(`${stage.id} ${id}`)}["${text}"]`)
    }
    this.#boxes.push('  end')
  }

  text(): string {
    return `${['flowchart LR', ...this.#shapes, ...this.#boxes, ...this.#arrows].join('\n')}\n`
  }

  /** The drawn thing that stands for a stage's input or node. */
  #end(stage: Stage, id: string): string {
    const inputs = stage.kind === 'process' ? stage.inputs : [stage.input]
    const input = inputs.find((candidate) => candidate.id === id)
    if (input === undefined) return this.#id(`${stage.id} ${id}`)
    return input.kind === 'topic'
      ? this.#topic(input.topic)
      : this.#shape(input.source.name, '[\\', '\\]')
  }

  #topic({ name }: Topic): string {
    return this.#shape(name, '[(', ')]')
  }

  #shape(name: string, open: string, close: string): string {
    const isNew = !this.#ids.has(name)
    const id = this.#id(name)
    if (isNew) this.#shapes.push(`  ${id}${open}"${label(name)}"${close}`)
    return id
  }

  #arrow(from: string, to: string, text?: string): void {
    this.#arrows.push(`  ${from} ${text === undefined ? '-->' : `-. ${text} .->`} ${to}`)
  }

  #id(name: string): string {
    const known = this.#ids.get(name) ?? `n${this.#ids.size + 1}`
    this.#ids.set(name, known)
    return known
  }
}

function label(text: string): string {
  return text.replaceAll('"', '#quot;')
}
