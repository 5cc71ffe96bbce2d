export { BatchReader, type BatchReaderOptions } from './batch-reader.ts'
export { type BatchOptions, BatchWriter, type Encoded } from './batch-writer.ts'
