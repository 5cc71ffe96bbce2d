export { Consumer } from './consumer.ts'
export type { ConsumerOptions } from './consumer-options.ts'
export type { ConsumerBatch, ConsumerRecord } from './consumer-batch.ts'
