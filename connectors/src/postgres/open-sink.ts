import { UsageError } from '@millrace/core'
import type { OpenSink, SinkContext, SinkTask } from '@millrace/processors'
import { Fence } from './fence.ts'
import type { Claim } from './fence.ts'
import { createFenceTable } from './fence-table.ts'
import { retrying } from './retrying.ts'
import type { Endeavour } from './retrying.ts'
import { SessionPool } from './session-pool.ts'
import { databaseOf, firstSession } from './session-login.ts'
import type { Database, Session } from './session.ts'
import { labelOf } from './table.ts'
import { PostgresTask } from './task.ts'
import { Target } from './target.ts'
import type { TargetOptions } from './target.ts'

/** At the start somebody waits for an answer, and may have named the wrong server. */
const startPatienceMs = 10_000

/** What `open` needs to know beside its context. */
export interface PostgresSinkOptions extends TargetOptions {
  /** The sink's name, part of the fence's key. */
  readonly name: string
  readonly url: string | undefined
  readonly connections: number
  /** How long a write is tried again while the server can't take it. */
  readonly retryForMs: number
}

/** Connects, looks at the table and makes what is missing; no row is touched. */
export async function openPostgresSink(
  options: PostgresSinkOptions,
  context: SinkContext,
): Promise<OpenSink> {
  const database = databaseOf(options.url)
  const first = await firstSession(database, context.notice, context.signal)
  const pool = new SessionPool(database, options.connections, first)
  try {
    await noteDurability(context, database, first)
    const atStart = { ...endeavourOf(options, context, database), patienceMs: startPatienceMs }
    const target = await retrying(atStart, () =>
      pool.use(async (session) => {
        const found = await Target.open(session, options, context, database.label)
        await createFenceTable(session, found.schema)
        return found
      }),
    )
    return new OpenPostgresSink(options, context, database, pool, target)
  } catch (error) {
    await pool.close()
    throw error
  }
}

class OpenPostgresSink implements OpenSink {
  readonly #options: PostgresSinkOptions
  readonly #context: SinkContext
  readonly #database: Database
  readonly #pool: SessionPool
  readonly #target: Target

  constructor(
    options: PostgresSinkOptions,
    context: SinkContext,
    database: Database,
    pool: SessionPool,
    target: Target,
  ) {
    this.#options = options
    this.#context = context
    this.#database = database
    this.#pool = pool
    this.#target = target
  }

  async claim(task: string): Promise<SinkTask> {
    if (task === '') throw new UsageError('USAGE', 'A task of a sink needs a name.')
    const { pipeline, logId, openings = [], notice, signal } = this.#context
    const fence = new Fence(this.#target.schema, {
      pipeline,
      sink: this.#options.name,
      task,
      logId,
      openings,
    })
    const endeavour = endeavourOf(this.#options, this.#context, this.#database)
    // A claim whose reply was lost is simply made again.
    const claim = await retrying({ ...endeavour, patienceMs: startPatienceMs }, () =>
      this.#pool.use((session) => fence.claim(session, { notice, signal })),
    )
    await this.#checkTable(fence, claim)
    return new PostgresTask({ ...endeavour, pool: this.#pool, target: this.#target, fence }, claim)
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  /** Rows of before are not in a table that is new and empty; restored from a backup, it would have some. */
  async #checkTable(fence: Fence, { position, tableOid }: Claim): Promise<void> {
    const { table } = this.#target
    if (position === undefined) return
    if (table === undefined) throw fence.tableReplaced(labelOf(this.#options.table))
    if (tableOid === undefined || tableOid === table.oid) return
    const { rows } = await this.#pool.use((session) =>
      session.query(`SELECT FROM ${table.sql} LIMIT 1`),
    )
    if (rows.length === 0) throw fence.tableReplaced(table.label)
  }
}

function endeavourOf(
  options: PostgresSinkOptions,
  context: SinkContext,
  { label }: Database,
): Endeavour {
  return { context, table: labelOf(options.table), database: label, patienceMs: options.retryForMs }
}

async function noteDurability(
  context: SinkContext,
  { label }: Database,
  session: Session,
): Promise<void> {
  const { rows } = await session.query<{ fsync: string }>('SHOW fsync')
  if (rows[0]?.fsync !== 'off') return
  context.notice(
    `PostgreSQL at ${label} runs with fsync = off: rows that it confirmed may be lost in a power cut`,
  )
}
