export type * from './column.ts'
export type * from './json.ts'
export type * from './sink.ts'
export type * from './source.ts'
