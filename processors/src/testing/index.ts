export { FedSource } from './fed-source.ts'
export { type KeptRow, KeptSink } from './kept-sink.ts'
export {
  type FlowOptions,
  PipelineTest,
  type PipelineTestOptions,
  type TopicRecord,
} from './pipeline-test.ts'
