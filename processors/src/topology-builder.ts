import { UsageError } from '@millrace/core'
import type { Step } from './operators/operator.ts'
import type { Sink } from './sink.ts'
import type { Source } from './source.ts'
import { type TimeSpec, timeReader, type Topic } from './topic.ts'
import type { Topology, TopologyNode } from './topology.ts'

/** Collects what a pipeline's description says. */
export class TopologyBuilder {
  readonly #pipeline: string
  readonly #nodes = new Map<string, TopologyNode>()

  constructor(pipeline: string) {
    this.#pipeline = pipeline
  }

  /** The id of a topic's node; a topic that is read twice has one. */
  topic(topic: Topic): string {
    const known = this.#nodes.get(topic.name)
    if (known === undefined) {
      return this.#add({ kind: 'topic', id: topic.name, inputs: [], topic })
    }
    if (known.kind === 'topic' && known.topic === topic) return known.id
    throw this.#invalid(
      `the topic ${topic.name} is described twice; make it once, const ${identifier(topic.name)} = ` +
        `topic('${topic.name}', …), and use that.`,
    )
  }

  source(source: Source<unknown>, time: TimeSpec<never> | undefined): string {
    if (this.#nodes.has(source.name)) {
      throw this.#invalid(
        `the source ${source.name} is used twice; keep its stream in a constant and use that twice.`,
      )
    }
    const timeOf = time === undefined ? undefined : timeReader(source.name, time)
    return this.#add({ kind: 'source', id: source.name, inputs: [], source, timeOf })
  }

  step(input: string, step: Step): string {
    if (step.name !== undefined && this.#nodes.has(step.name)) {
      throw this.#invalid(`two things are named "${step.name}"; give one of them another name.`)
    }
    const id = step.name ?? this.#free(`${input}.${step.kind}`)
    return this.#add({ kind: 'step', id, inputs: [input], step })
  }

  merge(inputs: readonly string[]): string {
    return this.#add({ kind: 'merge', id: this.#free(inputs.join('+')), inputs })
  }

  target(input: string, target: Topic | Sink<never>): void {
    if (target.kind === 'sink' && this.#hasSink(target.name)) {
      throw this.#invalid(
        `two streams end in ${target.name}, and each would undo the other's position; ` +
          `merge them first, merge(a, b).to(…), or name one of the two where it takes a name.`,
      )
    }
    const id = this.#free(`${input} → ${target.name}`)
    this.#add({ kind: 'target', id, inputs: [input], target })
  }

  /** @throws UsageError when a stream leads nowhere, or nothing was said. */
  build(): Topology {
    const nodes = [...this.#nodes.values()]
    if (nodes.length === 0) throw this.#invalid(`it is empty; begin with from(topic).to(…).`)
    const used = new Set(nodes.flatMap((node) => node.inputs))
    const loose = nodes.find((node) => node.kind !== 'target' && !used.has(node.id))
    if (loose !== undefined) {
      throw this.#invalid(
        `the stream ${loose.id} leads nowhere; end it with .to(…) or take it out.`,
      )
    }
    return { pipeline: this.#pipeline, nodes }
  }

  #add(node: TopologyNode): string {
    this.#nodes.set(node.id, node)
    return node.id
  }

  #free(id: string): string {
    let free = id
    for (let n = 2; this.#nodes.has(free); n++) free = `${id}-${n}`
    return free
  }

  #hasSink(name: string): boolean {
    return [...this.#nodes.values()].some(
      (node) => node.kind === 'target' && node.target.kind === 'sink' && node.target.name === name,
    )
  }

  #invalid(problem: string): UsageError {
    return new UsageError('PIPELINE_INVALID', `Pipeline ${this.#pipeline}: ${problem}`)
  }
}

function identifier(name: string): string {
  return name.replace(/[^a-zA-Z0-9]+(.?)/g, (_, next: string) => next.toUpperCase())
}
