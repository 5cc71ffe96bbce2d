export * from './batch/index.ts'
export { verifyLog } from './embedded/verify.ts'
export type { LogVerification } from './embedded/verify.ts'
export * from './consumer/index.ts'
export {
  ClosedError,
  CorruptDataError,
  FailedError,
  FencedError,
  InvariantError,
  type LogErrorCode,
  MillraceError,
  RejectedError,
  UnavailableError,
  UsageError,
} from './errors.ts'
export type * from './log.ts'
export { DEFAULT_LOG_URL, open } from './open.ts'
export type { OpenOptions } from './open.ts'
export * from './producer/index.ts'
export type * from './record.ts'
export * from './serdes/index.ts'
export type { LogFault } from './storage/verify-partition.ts'
export { openShared, shareLog } from './threads/share-log.ts'
