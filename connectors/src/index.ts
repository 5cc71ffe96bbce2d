export type * from '@millrace/processors'
export { parquet } from './files/parquet/parquet.ts'
export type { ParquetOptions } from './files/parquet/parquet.ts'
