import { UsageError } from '@millrace/core'
import type { OpenSink, SinkContext, SinkTask } from '@millrace/processors'
import { Fence, createFenceTable } from './fence.ts'
import { SessionPool } from './session-pool.ts'
import { databaseOf, firstSession } from './session.ts'
import type { Database } from './session.ts'
import { labelOf } from './table.ts'
import { PostgresTask } from './task.ts'
import { Target } from './target.ts'
import type { TargetOptions } from './target.ts'

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
  try {
    await noteDurability(context, database, await session.query('SHOW fsync'))
    const target = await Target.open(session, options, context, database.label)
    await createFenceTable(session, target.schema)
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
    const claim = await this.#pool.use((session) => fence.claim(session, notice))
    return new PostgresTask(
      {
        context: this.#context,
        pool: this.#pool,
        target: this.#target,
        fence,
        table: labelOf(this.#options.table),
        database: this.#database.label,
      },
      claim,
    )
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}

async function noteDurability(
  context: SinkContext,
  { label }: Database,
  { rows }: { rows: Record<string, unknown>[] },
): Promise<void> {
  if (rows[0]?.['fsync'] !== 'off') return
  context.notice(
    `PostgreSQL at ${label} runs with fsync = off: rows that it has confirmed may be lost in a power cut`,
  )
}
