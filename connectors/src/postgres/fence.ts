import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { UsageError } from '@millrace/core'
import type { Json } from '@millrace/processors'
import { FenceErrors } from './fence-errors.ts'
import type { FenceKey } from './fence-errors.ts'
import { fenceTable } from './fence-table.ts'
import { quoteIdentifier, quoteLiteral } from './identifier.ts'
import { codeOf } from './server-errors.ts'
import type { Session } from './session.ts'
import { shapeSql } from './table.ts'

const claimLockTimeoutMs = 2_000
const idleInTransactionTimeoutMs = 30_000
/** Until the server itself has ended a frozen owner whose session is not ours to end. */
const claimAttemptsMax = 20

/** A claim that was won; it stays ours until somebody claims the task after us. */
export interface Claim {
  readonly claim: bigint
  readonly seq: bigint
  readonly position: Json | undefined
  /** The table that the position speaks of, by its oid; undefined before the first rows. */
  readonly tableOid: number | undefined
}

/** Who hears of what a claim waits for, and may end the wait. */
interface Listener {
  readonly notice: (message: string) => void
  readonly signal: AbortSignal
}

interface FenceRow {
  readonly claim: string
  readonly seq: string
  readonly position: Json
  readonly table_oid: number | null
}

/**
 * The right to write a task's rows, kept in the database beside them (exactly once needs no more).
 *
 * A claim raises `claim`. Every transaction ends with `UPDATE … SET seq = seq + 1 WHERE claim = mine
 * AND seq = expected`, which hits one row or none; none means that somebody claimed since, and the
 * transaction goes back. `seq` also tells, after a lost connection, whether COMMIT had happened.
 */
export class Fence {
  readonly #table: string
  readonly #key: FenceKey
  readonly #owner: string
  /** The name of our sessions while they are in a transaction; nobody else has it. */
  readonly applicationName: string
  readonly #where: string
  readonly #errors: FenceErrors

  constructor(schema: string, key: FenceKey) {
    const token = `${process.pid}-${randomBytes(6).toString('hex')}`
    this.#table = `${quoteIdentifier(schema)}.${quoteIdentifier(fenceTable)}`
    this.#key = key
    this.#owner = `${hostname()} ${token}`
    this.applicationName = applicationName(token)
    const { pipeline, sink, task } = key
    const whereSink = `pipeline = ${quoteLiteral(pipeline)} AND sink = ${quoteLiteral(sink)}`
    this.#where = `${whereSink} AND task = ${quoteLiteral(task)}`
    this.#errors = new FenceErrors(key, this.#table, whereSink)
  }

  /** An error for a table that was dropped since the position was stored. */
  tableReplaced(label: string): UsageError {
    return this.#errors.tableReplaced(label)
  }

  /**
   * Begins a transaction that reports its COMMIT only when it is on the disk, even where the server
   * is set otherwise, and that a frozen owner can't keep open for ever.
   */
  get beginSql(): string {
    return (
      // Not READ WRITE: a server that was switched to read-only, to save its disk, is not overruled.
      'BEGIN ISOLATION LEVEL READ COMMITTED; ' +
      `SET LOCAL application_name = ${quoteLiteral(this.applicationName)}; ` +
      `SET LOCAL idle_in_transaction_session_timeout = ${idleInTransactionTimeoutMs}; ` +
      // A large batch would be cut off at the same place for ever.
      'SET LOCAL statement_timeout = 0; ' +
      `SELECT set_config('transaction_timeout', '0', true) ` +
      `WHERE current_setting('transaction_timeout', true) <> '0'; ` +
      `SELECT set_config('synchronous_commit', 'on', true) ` +
      `WHERE current_setting('synchronous_commit') = 'off'`
    )
  }

  /**
   * Takes the task over, whoever had it.
   *
   * @throws UsageError when the position stored there points into another log.
   * @throws UnavailableError when the previous owner can't be got out of the way.
   */
  async claim(session: Session, { notice, signal }: Listener): Promise<Claim> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#tryClaim(session)
      } catch (error) {
        await session.rollback()
        if (codeOf(error) !== '55P03') throw error
        if (attempt === claimAttemptsMax) throw this.#errors.stillHeld(error)
        signal.throwIfAborted()
        notice(
          `waiting for the previous owner of ${this.#key.task} to let go of its row in ${fenceTable}`,
        )
        await this.#terminateOwner(session)
      }
    }
  }

  /**
   * The last statement of a transaction: stores the position, if the task is still ours. By now the
   * transaction's own lock keeps others from altering the table.
   *
   * @returns the table's shape, as it is now.
   * @throws FencedError it is not; the caller rolls back.
   */
  async advance(
    session: Session,
    claim: Claim,
    position: Json,
    table: string | undefined,
  ): Promise<string | null> {
    const { pipeline, sink, task } = this.#key
    const { rows } = await session.prepared<{ shape: string | null }>(
      'millrace_advance',
      `UPDATE ${this.#table} SET seq = seq + 1, position = $4::jsonb,
         table_oid = to_regclass($7)::oid,
         backend_pid = pg_backend_pid(), updated_at = clock_timestamp()
       WHERE pipeline = $1 AND sink = $2 AND task = $3 AND claim = $5 AND seq = $6
       RETURNING ${shapeSql('$7')} AS shape`,
      [pipeline, sink, task, JSON.stringify(position), claim.claim, claim.seq, table ?? null],
    )
    const row = rows[0]
    if (row === undefined) throw await this.#whyNot(session, claim)
    return row.shape
  }

  /**
   * After a lost connection: did the transaction that was to raise `seq` commit? Waits for it to end.
   *
   * @throws FencedError somebody else has the task.
   */
  async hasAdvanced(session: Session, claim: Claim): Promise<boolean> {
    // The lost session may still hold locks, or our COMMIT may still be under way there; once it is
    // gone, or done, the row can be locked and tells the truth.
    await this.#terminate(session, this.applicationName)
    const { rows } = await session.query<FenceRow>(
      `SELECT claim, seq FROM ${this.#table} WHERE ${this.#where} FOR UPDATE`,
    )
    const lead = this.#leadOver(claim, rows[0])
    if (lead === 0n || lead === 1n) return lead === 1n
    throw this.#errors.wentBack()
  }

  /** Why the row that we were to raise was not there. */
  async #whyNot(session: Session, claim: Claim): Promise<Error> {
    const { rows } = await session.query<FenceRow>(
      `SELECT claim, seq FROM ${this.#table} WHERE ${this.#where}`,
    )
    return this.#leadOver(claim, rows[0]) > 0n ? this.#errors.fenced() : this.#errors.wentBack()
  }

  /**
   * How many transactions the database has more than we know of.
   *
   * @throws FencedError somebody else has the task.
   */
  #leadOver(claim: Claim, row: FenceRow | undefined): bigint {
    if (row === undefined) throw this.#errors.wentBack()
    const ahead = BigInt(row.claim) - claim.claim
    if (ahead > 0n) throw this.#errors.fenced()
    return ahead < 0n ? ahead : BigInt(row.seq) - claim.seq
  }

  async #tryClaim(session: Session): Promise<Claim> {
    const { pipeline, sink, task, logId, openings } = this.#key
    const previousOwner = await this.#readOwner(session)
    // One statement and no transaction around it: a claimer frozen at any point holds no lock.
    const { rows } = await session.query<FenceRow>(
      `INSERT INTO ${this.#table} AS f
         (pipeline, sink, task, log_id, claim, seq, owner, backend_pid, opening)
       SELECT $1, $2, $3, $4, 1, 0, $5, pg_backend_pid(), $6
       WHERE set_config('lock_timeout', '${claimLockTimeoutMs}', true) IS NOT NULL
       ON CONFLICT (pipeline, sink, task) DO UPDATE
         SET claim = f.claim + 1, owner = excluded.owner,
             backend_pid = excluded.backend_pid, updated_at = excluded.updated_at,
             opening = excluded.opening
         WHERE f.log_id = excluded.log_id AND (${isOursSql('f.opening')})
       RETURNING claim, seq, position, table_oid`,
      [pipeline, sink, task, logId, this.#owner, openings.at(-1) ?? null, openings],
    )
    const row = rows[0]
    if (row === undefined) throw await this.#whyRefused(session)
    // What the previous owner has open can't commit any more, and would only hold locks.
    if (previousOwner !== undefined) await this.#terminate(session, previousOwner)
    return {
      claim: BigInt(row.claim),
      seq: BigInt(row.seq),
      position: row.position === null ? undefined : row.position,
      tableOid: row.table_oid ?? undefined,
    }
  }

  async #terminateOwner(session: Session): Promise<void> {
    const owner = await this.#readOwner(session)
    if (owner !== undefined) await this.#terminate(session, owner)
  }

  async #readOwner(session: Session): Promise<string | undefined> {
    const { rows } = await session.query<{ owner: string }>(
      `SELECT owner FROM ${this.#table} WHERE ${this.#where}`,
    )
    const token = rows[0]?.owner.split(' ').at(-1)
    return token === undefined ? undefined : applicationName(token)
  }

  /** Ends the transactions that an owner has open; its name is in force only inside them. */
  async #terminate(session: Session, owner: string): Promise<void> {
    try {
      await session.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = $1 AND pid <> pg_backend_pid()`,
        [owner],
      )
    } catch (error) {
      // Another role's sessions are not ours to end; the server's time-outs will.
      if (codeOf(error) !== '42501') throw error
    }
  }

  async #whyRefused(session: Session): Promise<UsageError> {
    const { rows } = await session.query<{ log_id: string }>(
      `SELECT log_id FROM ${this.#table} WHERE ${this.#where}`,
    )
    return rows[0]?.log_id === this.#key.logId ? this.#errors.copiedLog() : this.#errors.otherLog()
  }
}

/**
 * Did the log of these openings ($7) live through the stored one? Of one older than all that it
 * remembers nobody can tell. `$6` is null where a log can't be copied.
 */
function isOursSql(opening: string): string {
  const epochOf = (text: string): string => `split_part(${text}, '.', 1)::bigint`
  return (
    `${opening} IS NULL OR $6::text IS NULL OR ${opening} = ANY ($7::text[]) OR ` +
    `${epochOf(opening)} < ${epochOf('($7::text[])[1]')}`
  )
}

function applicationName(token: string): string {
  return `millrace ${token}`
}
