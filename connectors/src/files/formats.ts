// What the command line prints and reads records with; not part of the package `millrace`.
export { csvFormat } from './csv/csv-format.ts'
export { openStdin, untilAborted } from './live/stdin.ts'
export { jsonText } from '../json-text.ts'
export { Layout } from './out/layout.ts'
export type { OutFormat, RowEncoder } from './out/row-encoder.ts'
export { RowMisfit } from './out/row-encoder.ts'
export { parseJson } from './parse-json.ts'
export { parquetFormat } from './parquet/parquet-format.ts'
