export { Consumer, type ConsumerOptions } from './consumer.ts'
export type { ConsumerBatch, ConsumerRecord } from './consumer-batch.ts'
