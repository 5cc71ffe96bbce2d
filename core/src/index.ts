export * from './errors.ts'
export type * from './log.ts'
export type * from './record.ts'
