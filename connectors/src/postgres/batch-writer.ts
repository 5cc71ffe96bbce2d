import type { SinkBatch } from '@millrace/processors'
import type { Refusals } from './refused-rows.ts'
import type { Session } from './session.ts'

/** One go at writing a batch, inside a transaction that somebody else begins and ends. */
export interface Attempt {
  readonly session: Session
  readonly batch: SinkBatch
  /** Rows known to be refused, which are left out; those found now are added. */
  readonly refusals: Refusals
  /** Stop at the first refused row, for the whole batch will be rejected. */
  readonly isFirstEnough: boolean
  /** How often this batch has been written apart already. */
  readonly round: number
}

/** Writes the rows of batches to one table. */
export interface BatchWriter {
  /** Makes what a session needs before its first transaction. */
  prepare(session: Session): Promise<void>
  /** A transaction was rolled back in which {@link prepare} may have been called. */
  forget(session: Session): void
  /** Makes ready for another batch in the same transaction. */
  clear(session: Session): Promise<void>
  /**
   * The fast way: everything at once.
   *
   * @returns false when the transaction must be rolled back and the batch written apart: the server
   *   refused a row, or a refused row had replaced an earlier one of its key in this batch.
   * @throws DatabaseError the server refused without naming a row (then {@link writeApart} finds it),
   *   or for another reason.
   */
  write(attempt: Attempt): Promise<boolean>
  /**
   * The slow way: piece by piece, so that every row which can't pass is found and left out.
   *
   * @returns as {@link write}; each time fewer rows are left.
   */
  writeApart(attempt: Attempt): Promise<boolean>
}
