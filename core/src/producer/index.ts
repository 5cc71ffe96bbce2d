export type { Acknowledgement } from './delivery.ts'
export { partitionOfKey, type PartitionBy } from './partitioner.ts'
export { Producer, type ProducerOptions, type ProducerRecord, type Raw } from './producer.ts'
export type { TopicAppender } from './topic-queues.ts'
