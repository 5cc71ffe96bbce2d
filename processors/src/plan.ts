import type { Column } from '@millrace/core'
import type { Sink } from './sink.ts'
import type { Source } from './source.ts'
import type { StoreSpec } from './state/store.ts'
import type { Step } from './operators/operator.ts'
import type { Topic } from './topic.ts'

/** A pipeline cut into stages, each of which commits in one place. */
export interface Plan {
  readonly pipeline: string
  /** Upstream first. */
  readonly stages: readonly Stage[]
  readonly internalTopics: readonly InternalTopic[]
}

/** `ingest` and `process` commit in the log, `deliver` in its sink. */
export type Stage = IngestStage | ProcessStage | DeliverStage

/** Source → stateless steps → topics, in one task; one transaction of records and source position. */
export interface IngestStage {
  readonly kind: 'ingest'
  /** Unique in the pipeline and stable; positions and tasks are named by it. */
  readonly id: string
  readonly input: SourceInput
  readonly nodes: readonly StageNode[]
  readonly outputs: readonly StageOutput[]
}

/** Topics → steps with state → topics, a task per partition; one transaction of outputs, changelogs and positions. */
export interface ProcessStage {
  readonly kind: 'process'
  readonly id: string
  /** More than one: merged by time; task n reads partition n of each. */
  readonly inputs: readonly TopicInput[]
  /** The inputs must have the same number of partitions (state depends on it). */
  readonly copartitioned: boolean
  readonly nodes: readonly StageNode[]
  readonly stores: readonly StoreSpec[]
  readonly outputs: readonly StageOutput[]
}

/** Topic → stateless steps → sink, a task per partition; the sink commits rows and position together. */
export interface DeliverStage {
  readonly kind: 'deliver'
  readonly id: string
  readonly input: TopicInput
  readonly nodes: readonly StageNode[]
  /** The output id under which records for the sink are emitted: what leaves the last node (or the input). */
  readonly output: string
  readonly sink: Sink<never>
  /** What is known of the rows from schemas, key first; empty when nothing is. */
  readonly columns: readonly Column[]
}

/** What a stage reads. */
export type StageInput = TopicInput | SourceInput

/** A topic as the input of a stage. */
export interface TopicInput {
  readonly kind: 'topic'
  /** What `Chain.push` is called with. */
  readonly id: string
  readonly topic: Topic
}

/** A source as the input of a stage. */
export interface SourceInput {
  readonly kind: 'source'
  readonly id: string
  readonly source: Source<unknown>
  /** Event time in a row; undefined: the time of reading. */
  readonly timeOf: ((row: unknown) => number) | undefined
}

/** A step in a stage; its inputs are ids of the stage's inputs or of nodes before it. */
export interface StageNode {
  /** Unique in the pipeline and stable. */
  readonly id: string
  readonly inputs: readonly string[]
  readonly step: Step
  readonly store: StoreSpec | undefined
  /** Only the last change of each key in an epoch is wanted of it. */
  readonly lastPerKey: boolean
}

/** Where records leave a log-committing stage. */
export interface StageOutput {
  /** What `TaskContext.emit` is called with. */
  readonly id: string
  /** The input or node whose records leave here. */
  readonly from: string
  /** Only what that node puts aside leaves here (late records). */
  readonly aside: boolean
  readonly topic: Topic
  /** `key`: by `topic.partitionBy`, else Kafka's murmur2 of the key. `task`: the task's own partition number. */
  readonly partition: 'key' | 'task'
  /** Only the last record of each key in an epoch is written. */
  readonly lastPerKey: boolean
}

/** A topic that only this pipeline uses; created by the runtime, trimmed after use. */
export interface InternalTopic {
  readonly topic: Topic
  readonly purpose: 'rows' | 'repartition' | 'hand-over' | 'changelog'
  /** Topics whose greatest partition count it takes when `topic.partitions` is undefined. */
  readonly partitionsLike: readonly string[]
}
