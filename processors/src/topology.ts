import type { Step } from './operators/operator.ts'
import type { Sink } from './sink.ts'
import type { Source } from './source.ts'
import type { Topic } from './topic.ts'

/** A pipeline as data: what is read, done and written, in the order it was said. */
export interface Topology {
  readonly pipeline: string
  /** Inputs of a node come before it. */
  readonly nodes: readonly TopologyNode[]
}

export type TopologyNode = TopicNode | SourceNode | StepNode | MergeNode | TargetNode

export interface TopicNode {
  readonly kind: 'topic'
  /** Unique in the topology. */
  readonly id: string
  readonly inputs: readonly []
  readonly topic: Topic
}

export interface SourceNode {
  readonly kind: 'source'
  readonly id: string
  readonly inputs: readonly []
  readonly source: Source<unknown>
  readonly timeOf: ((row: unknown) => number) | undefined
}

export interface StepNode {
  readonly kind: 'step'
  readonly id: string
  readonly inputs: readonly [string]
  readonly step: Step
}

/** Several streams as one. */
export interface MergeNode {
  readonly kind: 'merge'
  readonly id: string
  readonly inputs: readonly string[]
}

/** The end of a stream. */
export interface TargetNode {
  readonly kind: 'target'
  readonly id: string
  readonly inputs: readonly [string]
  readonly target: Topic | Sink<never>
}
