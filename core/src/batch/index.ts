export { BatchReader, type BatchReaderOptions } from './batch-reader.ts'
export { type BatchOptions, BatchWriter, type Encoded, recycle } from './batch-writer.ts'
export { type ControlBatch, encodeControlBatch, readControlBatch } from './control.ts'
export { type BatchHeader, crcMatches, HEADER_BYTES, readHeader, stampBatch } from './header.ts'
