export {
  aggregate,
  type AggregateOptions,
  count,
  type GroupKey,
  reduce,
} from './operators/aggregate.ts'
export type { Aggregate, Results } from './aggregates/aggregate.ts'
export { max, min } from './aggregates/extremes.ts'
export { mean, sum } from './aggregates/numbers.ts'
export type * from './column.ts'
export type { ProcessorErrorCode } from './errors.ts'
export type * from './json.ts'
export type { KeyOf, KeySpec } from './key.ts'
export { filter } from './operators/filter.ts'
export { flatMap } from './operators/flat-map.ts'
export { keyBy } from './operators/key-by.ts'
export { map } from './operators/map.ts'
export { mapAsync, type MapAsyncOptions } from './operators/map-async.ts'
export type { Operator } from './operators/operator.ts'
export type { NamedKey, Row, StreamRecord } from './operators/record.ts'
export { rx, type RxRecord } from './operators/rx.ts'
export { tap } from './operators/tap.ts'
export { window, type WindowUseOptions } from './operators/window.ts'
export { MalformedRecord } from './malformed-record.ts'
export { type From, isPipeline, pipeline, type Pipeline, type PipelineTools } from './pipeline.ts'
export type * from './plan.ts'
export { type DeadLetterRecord, deadLetterTopic } from './runtime/dead-letter.ts'
export {
  type KeptBack,
  redrive,
  type RedriveOptions,
  type RedriveResult,
  timesRedriven,
} from './runtime/dead-letter-redrive.ts'
export {
  type DeadLetterEntry,
  deadLetterTopics,
  openDeadLetters,
} from './runtime/dead-letter-topic.ts'
export type { ErrorPolicy, RunOptions, RunResult } from './runtime/options.ts'
export type { Progress, StageProgress, StageState } from './runtime/progress.ts'
export { run } from './runtime/run.ts'
export type * from './sink.ts'
export type * from './source.ts'
export type { Stream, Target } from './stream.ts'
export { topic, type TimeSpec, type Topic, type TopicFor, type TopicOptions } from './topic.ts'
export type { Topology } from './topology.ts'
export { topologyMermaid } from './topology-mermaid.ts'
export { topologyText } from './topology-text.ts'
export { type Duration } from './windows/duration.ts'
export { hopping, type TimeWindows, tumbling, type WindowOptions } from './windows/windows.ts'
export type { WindowBounds, Windowed } from './windows/windowed-key.ts'
