import type { Log } from '@millrace/core'
import type { Ports } from '@millrace/core/io'
import type { Testimony } from './testimony.ts'
import type { Witness } from './witness.ts'

/** Where a workload works. */
export interface Place {
  readonly directory: string
  readonly ports: Ports
}

/** What a workload leaves for {@link Workload.struck} to work on. */
export interface Prepared extends Place {
  /** Open already, unless opening is what is struck. */
  readonly log?: Log
}

/**
 * A few things that a log is asked to do. Its system calls fail, one in each life; what the witness saw
 * done must be true afterwards.
 */
export interface Workload {
  readonly name: string
  /** Undisturbed; resolves with the log when it is left open. */
  prepare(place: Place, witness: Witness): Promise<Log | undefined>
  /** What is struck; resolves with the log to be read and closed, if there is one. */
  struck(prepared: Prepared, witness: Witness): Promise<Log | undefined>
  /** What must be true afterwards, besides what holds for every log. */
  verify?(log: Log, testimony: Testimony): Promise<void>
}
