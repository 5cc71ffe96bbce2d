import { UsageError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import { checkSinkColumns, factsOf, type StreamFacts } from './stream-facts.ts'
import { internalTopic } from './internal-topic.ts'
import { slug } from './slug.ts'
import type { InternalTopic, Plan, Stage, StageNode } from './plan.ts'
import type { Sink } from './sink.ts'
import { StageDraft } from './stage-draft.ts'
import type { StoreSpec } from './state/store.ts'
import type { Topic } from './topic.ts'
import type { MergeNode, StepNode, TargetNode, Topology, TopologyNode } from './topology.ts'

/**
 * Cuts a pipeline into stages that commit in one place each: what leads from a topic to a sink without
 * state commits in the sink; everything else commits in the log, with internal topics where a key
 * changes before state and where records go on to a sink.
 *
 * @throws UsageError PIPELINE_INVALID when the pipeline can't be run.
 */
export function planPipeline(topology: Topology): Plan {
  return new Planner(topology).plan()
}

class Planner {
  readonly #pipeline: string
  readonly #nodes: ReadonlyMap<string, TopologyNode>
  readonly #consumers = new Map<string, TopologyNode[]>()
  readonly #facts = new Map<string, StreamFacts>()
  /** Nodes that run in the stage of the sink they lead to. */
  readonly #delivered = new Set<string>()
  readonly #drafts = new Map<string, StageDraft>()
  readonly #deliveries: Stage[] = []
  readonly #internalTopics: (InternalTopic & { readonly madeBy: StageDraft })[] = []
  readonly #storeNames = new Set<string>()

  constructor(topology: Topology) {
    this.#pipeline = topology.pipeline
    this.#nodes = new Map(topology.nodes.map((node) => [node.id, node]))
    for (const node of topology.nodes) {
      for (const input of node.inputs) {
        this.#consumers.set(input, [...(this.#consumers.get(input) ?? []), node])
      }
    }
  }

  plan(): Plan {
    for (const node of this.#nodes.values()) {
      const inputs = node.inputs.map((id) => this.#factsOf(id))
      this.#facts.set(node.id, factsOf(this.#pipeline, node, inputs))
      if (node.kind === 'target' && node.target.kind === 'sink') this.#claimPath(node)
    }
    for (const node of this.#nodes.values()) if (!this.#delivered.has(node.id)) this.#place(node)
    const drafts = new Set([...this.#drafts.values()].map((draft) => draft.current))
    const stages = [...drafts].filter((draft) => !draft.isEmpty).map((draft) => draft.stage())
    return {
      pipeline: this.#pipeline,
      stages: upstreamFirst([...stages, ...this.#deliveries]),
      internalTopics: this.#internalTopics.map(({ topic, purpose, madeBy }) => ({
        topic,
        purpose,
        partitionsLike: madeBy.current.inputTopics,
      })),
    }
  }

  /** Marks what leads from a topic straight to a sink. */
  #claimPath(target: TargetNode): void {
    const path: string[] = [target.id]
    for (let node = this.#node(target.inputs[0]); ; node = this.#node(node.inputs[0] ?? '')) {
      if (node.kind === 'topic') {
        for (const id of path) this.#delivered.add(id)
        this.#deliver(target, { kind: 'topic', id: node.id, topic: node.topic }, path.slice(1))
        return
      }
      const isStraight = node.kind === 'step' && node.step.state === undefined
      if (!isStraight || this.#consumers.get(node.id)?.length !== 1) return
      path.push(node.id)
    }
  }

  #place(node: TopologyNode): void {
    switch (node.kind) {
      case 'topic':
        this.#drafts.set(node.id, StageDraft.process(node.topic))
        break
      case 'source':
        this.#drafts.set(node.id, StageDraft.ingest(node))
        break
      case 'step':
        this.#placeStep(node)
        break
      case 'merge':
        this.#placeMerge(node)
        break
      case 'target':
        this.#placeTarget(node, node.inputs[0])
    }
  }

  #placeStep(node: StepNode): void {
    const { step } = node
    const store = step.state === undefined ? undefined : this.#storeOf(node)
    const input =
      store === undefined ? node.inputs[0] : this.#placeByKey(node.inputs[0], store.name)
    const draft = this.#draftOf(input)
    draft.nodes.push({
      id: node.id,
      inputs: [input],
      step,
      store,
      lastPerKey: this.#wantsLastPerKey(node),
    })
    this.#drafts.set(node.id, draft)
    if (step.aside !== undefined) {
      draft.addOutput({ from: node.id, topic: step.aside, aside: true })
    }
    if (store === undefined) return
    draft.stores.push(store)
    const facts = this.#factsOf(node.id)
    this.#internalTopics.push({
      topic: internalTopic(store.changelogTopic, facts),
      purpose: 'changelog',
      partitionsLike: [],
      madeBy: draft,
    })
  }

  #placeMerge(node: MergeNode): void {
    const inputs = node.inputs.map((id) =>
      this.#draftOf(id).kind === 'ingest' ? this.#cut(id, 'rows', `${slug(id)}-rows`) : id,
    )
    const [first, ...others] = inputs.map((id) => this.#draftOf(id))
    invariant(first !== undefined, 'a merge has inputs')
    for (const other of others) first.absorb(other)
    first.nodes.push({
      id: node.id,
      inputs,
      store: undefined,
      lastPerKey: false,
      step: { kind: 'merge', compile: () => (source) => source },
    })
    this.#drafts.set(node.id, first)
  }

  #placeTarget(node: TargetNode, input: string): void {
    const { target } = node
    if (target.kind === 'topic') {
      this.#draftOf(input).addOutput({ from: input, topic: target, aside: false })
      return
    }
    const from = this.#node(input)
    const store = from.kind === 'step' ? this.#nodeOf(from)?.store?.name : undefined
    const name = store === undefined ? `${slug(target.name)}-rows` : `${store}-results`
    const topicName = this.#cut(input, 'hand-over', name)
    this.#deliver(node, this.#inputOf(topicName), [])
  }

  #deliver(
    node: TargetNode,
    input: { kind: 'topic'; id: string; topic: Topic },
    path: string[],
  ): void {
    const sink = node.target as Sink<never>
    const facts = this.#factsOf(node.inputs[0])
    checkSinkColumns(this.#pipeline, sink, facts)
    const nodes = path.toReversed().map((id): StageNode => {
      const { inputs, step } = this.#node(id) as StepNode
      return { id, inputs, step, store: undefined, lastPerKey: false }
    })
    this.#deliveries.push({
      kind: 'deliver',
      id: `to-${slug(sink.name)}`,
      input,
      nodes,
      sink,
      output: node.id,
      columns: facts.valueColumns ? [...(facts.keyColumns ?? []), ...facts.valueColumns] : [],
    })
  }

  /** The input of a step with state: the stream itself, or a topic that brings the records of each key together. */
  #placeByKey(input: string, store: string): string {
    const { isPlaced } = this.#factsOf(input)
    return isPlaced ? input : this.#cut(input, 'repartition', `${store}-repartition`)
  }

  /** Puts an internal topic after a node (one of each name) and gives the id of what reads it. */
  #cut(from: string, purpose: 'rows' | 'repartition' | 'hand-over', name: string): string {
    const topicName = `${this.#pipeline}-${name}`
    if (this.#drafts.has(topicName)) return topicName
    const draft = this.#draftOf(from)
    const topic = internalTopic(topicName, this.#factsOf(from))
    draft.addOutput({
      from,
      topic,
      aside: false,
      partition: purpose === 'hand-over' && draft.kind === 'process' ? 'task' : 'key',
      lastPerKey: purpose === 'hand-over' && this.#endsInUpserts(from),
    })
    this.#internalTopics.push({ topic, purpose, partitionsLike: [], madeBy: draft })
    this.#drafts.set(topicName, StageDraft.process(topic, name))
    return topicName
  }

  #storeOf(node: StepNode): StoreSpec {
    const { name, state } = node.step
    const { root } = this.#factsOf(node.id)
    if (this.#storeNames.has(root)) {
      throw new UsageError(
        'PIPELINE_INVALID',
        `Pipeline ${this.#pipeline}: two aggregates would keep their state as "${root}"; ` +
          `name one of them, ${node.step.kind}(…, { name: '…' }).`,
      )
    }
    this.#storeNames.add(root)
    return {
      name: root,
      changelogTopic: `${this.#pipeline}-${slug(name ?? root)}-changelog`,
      shape: state?.shape ?? '',
    }
  }

  // Where sinks also keep the rows of each key apart, the operator itself may leave out all but the last
  // change: nobody could see the others.
  #wantsLastPerKey({ id, step }: StepNode): boolean {
    if (step.state === undefined || !this.#endsInUpserts(id)) return false
    const names = (this.#factsOf(id).keyColumns ?? []).map((column) => column.name)
    return (this.#consumers.get(id) ?? []).every((consumer) => {
      const sinkKey = ((consumer as TargetNode).target as Sink<never>).key
      return names.every((name) => name === 'window_end' || sinkKey?.includes(name))
    })
  }

  /** Whether of several records of a key only the last can be seen in the sinks that come next. */
  #endsInUpserts(id: string): boolean {
    const { replaces, keyColumns = [] } = this.#factsOf(id)
    if (!replaces) return false
    const names = keyColumns.map((column) => column.name)
    return (this.#consumers.get(id) ?? []).every((node) => {
      if (node.kind !== 'target' || node.target.kind !== 'sink') return false
      const { mode, key } = node.target
      return mode === 'upsert' && key !== undefined && key.every((name) => names.includes(name))
    })
  }

  #nodeOf({ id }: StepNode): StageNode | undefined {
    return this.#draftOf(id).nodes.find((node) => node.id === id)
  }

  #inputOf(topicName: string) {
    const input = this.#draftOf(topicName).input(topicName)
    invariant(input?.kind === 'topic', `${topicName} is read`)
    return input
  }

  #draftOf(id: string): StageDraft {
    const draft = this.#drafts.get(id)
    invariant(draft !== undefined, `${id} is placed before it is used`)
    return draft.current
  }

  #factsOf(id: string): StreamFacts {
    const facts = this.#facts.get(id)
    invariant(facts !== undefined, `${id} is known before it is used`)
    return facts
  }

  #node(id: string): TopologyNode {
    const node = this.#nodes.get(id)
    invariant(node !== undefined, `${id} is in the topology`)
    return node
  }
}

/** Stages after those that write what they read, as far as there are no circles. */
function upstreamFirst(stages: readonly Stage[]): readonly Stage[] {
  const ordered = new Set<Stage>()
  const begun = new Set<Stage>()
  const visit = (stage: Stage) => {
    if (begun.has(stage)) return
    begun.add(stage)
    for (const other of stages) if (feeds(other, stage)) visit(other)
    ordered.add(stage)
  }
  for (const stage of stages) visit(stage)
  return [...ordered]
}

function feeds(writer: Stage, reader: Stage): boolean {
  if (writer.kind === 'deliver' || reader.kind === 'ingest') return false
  const inputs = reader.kind === 'process' ? reader.inputs : [reader.input]
  const read = new Set(inputs.map(({ topic }) => topic.name))
  return writer.outputs.some(({ topic }) => read.has(topic.name))
}
