import type { MessagePort } from '../io/node-thread.ts'
import type { Log } from '../log.ts'
import type { CarriedError } from './carried-error.ts'

/** A call of {@link Log} that another thread answers; `close` is another matter. */
export type LogCall = Exclude<keyof Log, 'close'>

/** From who uses a log to the thread that has it. */
export interface Request {
  readonly id: number
  readonly call: LogCall
  readonly parameters: readonly unknown[]
  /** Of earlier answers, for the next ones. */
  readonly memory?: readonly ArrayBuffer[]
}

/** Back from there. */
export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: CarriedError }
  /** The log was closed in an orderly way; no call is answered any more. */
  | { readonly ended: CarriedError }

/** From who opened a log in a thread of its own to that thread. */
export type Order = { readonly port: MessagePort } | { readonly close: true }

/** What that thread reports. */
export type Report =
  | { readonly opened: true }
  | { readonly closed: true }
  | { readonly failed: CarriedError }

/** All calls that cross, by name: a list that the compiler keeps complete. */
export const LOG_CALLS: Readonly<Record<LogCall, true>> = {
  describe: true,
  createTopic: true,
  describeTopic: true,
  listTopics: true,
  alterTopic: true,
  addPartitions: true,
  deleteTopic: true,
  append: true,
  fetch: true,
  findOffset: true,
  trim: true,
  initProducer: true,
  endTransaction: true,
  commitPositions: true,
  readPositions: true,
  joinGroup: true,
  syncGroup: true,
  heartbeat: true,
  leaveGroup: true,
  listGroups: true,
  describeGroup: true,
}
