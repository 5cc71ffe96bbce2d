import { UsageError } from '@millrace/core'
import type { OpenSink, SinkContext, SinkTask } from '@millrace/processors'
import { Fence, createFenceTable } from './fence.ts'
import { retrying } from './retrying.ts'
import type { Endeavour } from './retrying.ts'
import { SessionPool } from './session-pool.ts'
import { databaseOf, firstSession } from './session.ts'
import type { Database, Session } from './session.ts'
import { labelOf } from './table.ts'
import { PostgresTask } from './task.ts'
import { Target } from './target.ts'
import type { TargetOptions } from './target.ts'

const claimRetriesMax = 5

/** What `open` needs to know beside its context. */
export interface PostgresSinkOptions extends TargetOptions {
  /** The sink's name, part of the fence's key. */
  readonly name: string
  readonly url: string | undefined
  readonly connections: number
}

/** Connects, looks at the table and makes what is missing; no row is touched. */
export async function openPostgresSink(
  options: PostgresSinkOptions,
  context: SinkContext,
): Promise<OpenSink> {
  const database = databaseOf(options.url)
  const session = await firstSession(database, context.notice, context.signal)
  const endeavour = endeavourOf(options, context, database)
  try {
    await noteDurability(context, database, session)
    const target = await retrying({ ...endeavour, retries: 0 }, async () => {
      const found = await Target.open(session, options, context, database.label)
      await createFenceTable(session, found.schema)
      return found
    })
    const pool = new SessionPool(database, options.connections, session)
    return new OpenPostgresSink(options, context, database, pool, target)
  } catch (error) {
    await session.close()
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
    const { pipeline, logId, notice } = this.#context
    const fence = new Fence(this.#target.schema, {
      pipeline,
      sink: this.#options.name,
      task,
      logId,
    })
    const endeavour = endeavourOf(this.#options, this.#context, this.#database)
    // A claim whose reply was lost is simply made again.
    const claim = await retrying(endeavour, () =>
      this.#pool.use((session) => fence.claim(session, notice)),
    )
    return new PostgresTask({ ...endeavour, pool: this.#pool, target: this.#target, fence }, claim)
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}

function endeavourOf(
  options: PostgresSinkOptions,
  context: SinkContext,
  { label }: Database,
): Endeavour {
  return { context, table: labelOf(options.table), database: label, retries: claimRetriesMax }
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
