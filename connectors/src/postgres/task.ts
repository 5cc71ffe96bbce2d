import { ClosedError, FencedError, RejectedError } from '@millrace/core'
import type { Json, SinkBatch } from '@millrace/processors'
import type { CopyTask, CopyWork } from './copy-task.ts'
import type { Fence, Claim } from './fence.ts'
import type { Refusal, Refusals } from './refused-rows.ts'
import { retrying } from './retrying.ts'
import type { Endeavour } from './retrying.ts'
import { verdictOf } from './server-errors.ts'
import type { Session } from './session.ts'
import type { SessionPool } from './session-pool.ts'
import type { Table } from './table.ts'
import type { Target } from './target.ts'

/** What a task works with. */
export interface TaskContext extends Endeavour {
  readonly pool: SessionPool
  readonly target: Target
  readonly fence: Fence
}

/**
 * Writes one task's batches, one at a time and in order, each in one transaction with its position.
 *
 * States: sure (the claim's `seq` is the database's) ⇄ unsure (a connection was lost in a
 * transaction: whether it committed must be read from the fence first) → finished (released, or a
 * write failed: a later batch must not be written past it).
 */
export class PostgresTask implements CopyTask {
  readonly #with: TaskContext
  #claim: Claim
  #isUnsure = false
  #last: Promise<void> = Promise.resolve()
  #isReleased = false

  constructor(taskContext: TaskContext, claim: Claim) {
    this.#with = taskContext
    this.#claim = claim
  }

  get position(): Json | undefined {
    return this.#claim.position
  }

  write(batch: SinkBatch): Promise<void> {
    return this.#inOrder(async (session) => {
      await this.#asTableIs(session, (table) => this.#writeOnce(session, batch, table))
      return batch.position
    })
  }

  get target(): Target {
    return this.#with.target
  }

  transact(work: CopyWork): Promise<void> {
    let position: Json = null
    return this.#inOrder(async (session) => {
      if (this.#isUnsure && (await this.#with.fence.hasAdvanced(session, this.#claim))) {
        return position
      }
      position = await this.#asTableIs(session, (table) => this.#transactOnce(session, work, table))
      return position
    })
  }

  async release(): Promise<void> {
    this.#isReleased = true
    await this.#last.catch(() => {})
  }

  /** Runs one write after those before it; it resolves with the position that was stored. */
  #inOrder(write: (session: Session) => Promise<Json>): Promise<void> {
    this.#last = this.#last.then(() => this.#runNext(write))
    // A failure is this caller's, and every later one's.
    this.#last.catch(() => {})
    return this.#last
  }

  async #runNext(write: (session: Session) => Promise<Json>): Promise<void> {
    if (this.#isReleased) throw new ClosedError('CLOSED', 'This task of the sink was released.')
    const { pool, context, fence } = this.#with
    const { notice, signal } = context
    const { applicationName } = fence
    const position = await retrying(this.#with, () =>
      pool.useWatched({ applicationName, notice, signal }, write),
    )
    this.#claim = { ...this.#claim, seq: this.#claim.seq + 1n, position }
  }

  async #transactOnce(session: Session, work: CopyWork, table: Table | undefined): Promise<Json> {
    let position: Json = null
    for (let round = 0; ; round += 1) {
      const transact = (): Promise<boolean> =>
        this.#inTransaction(session, async () => {
          const found = await work(session, round)
          if (found === undefined) return false
          position = found
          await this.#advance(session, position, table)
          return true
        })
      let isDone = false
      try {
        isDone = await (round === 0 ? unlessRefused(transact) : transact())
      } finally {
        if (!isDone) this.target.forget(session)
      }
      if (isDone) return position
    }
  }

  /** Writes; and where that fails because somebody altered the table, again for the table as it is now. */
  async #asTableIs<T>(
    session: Session,
    write: (table: Table | undefined) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const { table } = this.target
      try {
        return await write(table)
      } catch (error) {
        const isForGood = error instanceof FencedError || verdictOf(error) === 'retry'
        if (isForGood || session.isBroken) throw error
        // Another task has looked at it again meanwhile; what we wrote was made for what it was.
        if (table !== undefined && table !== this.target.table) continue
        const isAltered = await this.target.refresh(session)
        if (!isAltered && !(error instanceof TableAlteredError)) throw error
      }
    }
  }

  /** @param known the table that the rows were made for; undefined when they have made it. */
  async #advance(session: Session, position: Json, known: Table | undefined): Promise<void> {
    const { fence, target } = this.#with
    const table = known ?? target.table
    const shape = await fence.advance(session, this.#claim, position, table?.sql)
    // Binary rows of another shape may have been taken for something that they are not.
    if (table !== undefined && shape !== table.shape) throw new TableAlteredError()
  }

  async #writeOnce(session: Session, batch: SinkBatch, table: Table | undefined): Promise<void> {
    const { fence, target } = this.#with
    if (this.#isUnsure && (await fence.hasAdvanced(session, this.#claim))) return
    const writer = await target.writerFor(session, batch)
    const refusals: Refusals = new Map()
    const isFirstEnough = this.#with.context.deadLetter === undefined
    for (let round = 0; ; round += 1) {
      const attempt = { session, batch, refusals, isFirstEnough, round }
      const write = async (): Promise<boolean> => {
        const isComplete = await (round === 0 ? writer.write(attempt) : writer.writeApart(attempt))
        if (isFirstEnough && refusals.size > 0) throw this.#rejected(batch, refusals)
        if (isComplete) await this.#finish(session, batch, refusals, table)
        return isComplete
      }
      const transact = (): Promise<boolean> => this.#inTransaction(session, write)
      if (await (round === 0 ? unlessRefused(transact) : transact())) return
    }
  }

  /** Commits when `work` says so, else rolls back. */
  async #inTransaction(session: Session, work: () => Promise<boolean>): Promise<boolean> {
    this.#isUnsure = true
    let isDone = false
    try {
      await session.query(this.#with.fence.beginSql)
      isDone = await work()
      if (isDone) await session.query('COMMIT')
      else await session.rollback()
    } catch (error) {
      if (!session.isBroken) await session.rollback()
      if (!session.isBroken) this.#isUnsure = false
      throw error
    }
    this.#isUnsure = false
    return isDone
  }

  async #finish(
    session: Session,
    batch: SinkBatch,
    refusals: Refusals,
    table: Table | undefined,
  ): Promise<void> {
    if (refusals.size > 0) {
      // A table that was altered refuses rows that are not bad.
      if (!(await this.target.isStill(session, table))) throw new TableAlteredError()
      const letters = [...refusals].map(([index, refusal]) => ({ index, ...refusal }))
      letters.sort((a, b) => a.index - b.index)
      await this.#with.context.deadLetter?.(letters)
    }
    await this.#advance(session, batch.position, table)
  }

  #rejected(batch: SinkBatch, refusals: Refusals): RejectedError {
    const [index, refusal] = [...refusals][0] as [number, Refusal]
    const { table } = this.#with
    return new RejectedError(
      'ROW_REFUSED',
      `Row ${index} (of ${batch.size} in this batch) can't be stored in the table "${table}": ` +
        `${refusal.cause} (${refusal.code}). Nothing of the batch was written. Correct the record, ` +
        'or set a dead-letter topic, which takes such records so that the others pass.',
      { facts: { table, index, ...refusal, position: batch.position } },
    )
  }
}

/** What was sent was made for a table that looked otherwise; nothing of it was kept. */
class TableAlteredError extends Error {}

/** A refusal that names no row, in the fast way, is found out in the slow way. */
async function unlessRefused(transact: () => Promise<boolean>): Promise<boolean> {
  try {
    return await transact()
  } catch (error) {
    const verdict = verdictOf(error)
    if (verdict === 'data' || verdict === 'repeated') return false
    throw error
  }
}
