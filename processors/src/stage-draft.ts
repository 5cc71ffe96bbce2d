import { slug } from './slug.ts'
import type {
  IngestStage,
  ProcessStage,
  SourceInput,
  StageInput,
  StageNode,
  StageOutput,
  TopicInput,
} from './plan.ts'
import type { StoreSpec } from './state/store.ts'
import type { Topic } from './topic.ts'
import type { SourceNode } from './topology.ts'

type NewOutput = Pick<StageOutput, 'from' | 'topic' | 'aside'> &
  Partial<Pick<StageOutput, 'partition' | 'lastPerKey'>>

/** A log-committing stage in the making. */
export class StageDraft {
  readonly kind: 'ingest' | 'process'
  readonly nodes: StageNode[] = []
  readonly stores: StoreSpec[] = []
  readonly #id: string
  readonly #inputs: StageInput[]
  readonly #outputs: StageOutput[] = []
  #absorbedBy: StageDraft | undefined

  private constructor(kind: StageDraft['kind'], id: string, input: StageInput) {
    this.kind = kind
    this.#id = id
    this.#inputs = [input]
  }

  static process(topic: Topic, id: string = slug(topic.name)): StageDraft {
    return new StageDraft('process', id, { kind: 'topic', id: topic.name, topic })
  }

  static ingest({ id, source, timeOf }: SourceNode): StageDraft {
    return new StageDraft('ingest', `from-${slug(id)}`, { kind: 'source', id, source, timeOf })
  }

  /** Itself, or the draft that took it in. */
  get current(): StageDraft {
    return this.#absorbedBy?.current ?? this
  }

  /** It writes nothing: what it reads goes straight to sinks. */
  get isEmpty(): boolean {
    return this.#outputs.length === 0
  }

  get inputTopics(): readonly string[] {
    return this.#inputs.flatMap((input) => (input.kind === 'topic' ? [input.topic.name] : []))
  }

  input(id: string): StageInput | undefined {
    return this.#inputs.find((input) => input.id === id)
  }

  addOutput({ from, topic, aside, partition = 'key', lastPerKey = false }: NewOutput): void {
    const base = `${from} → ${topic.name}`
    const same = this.#outputs.filter(({ id }) => id.startsWith(base)).length
    const id = same === 0 ? base : `${base} (${same + 1})`
    this.#outputs.push({ id, from, topic, aside, partition, lastPerKey })
  }

  /** Takes another draft in: a merge needs both in one task. */
  absorb(other: StageDraft): void {
    if (other === this) return
    this.#inputs.push(...other.#inputs)
    this.nodes.push(...other.nodes)
    this.stores.push(...other.stores)
    this.#outputs.push(...other.#outputs)
    other.#absorbedBy = this
  }

  stage(): IngestStage | ProcessStage {
    const { nodes, stores } = this
    const outputs = this.#outputs
    if (this.kind === 'ingest') {
      const [input] = this.#inputs as [SourceInput]
      return { kind: 'ingest', id: this.#id, input, nodes, outputs }
    }
    const inputs = this.#inputs as TopicInput[]
    return {
      kind: 'process',
      id: this.#id,
      inputs,
      nodes,
      stores,
      outputs,
      copartitioned: stores.length > 0 && inputs.length > 1,
    }
  }
}
