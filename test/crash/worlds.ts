import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres, type PostgresServer } from '@millrace/connectors/testing'
import pg from 'pg'
import { liveOn, type World } from './life.ts'
import type { PipelineName } from './pipelines.ts'

/** What is left of a pipeline's work: its tables, and the records that came too late. */
export interface Outcome {
  readonly tables: Readonly<Record<string, { readonly rows: number; readonly digest: string }>>
  readonly late: number
}

const TABLES: Readonly<Record<PipelineName, readonly string[]>> = {
  append: ['rows'],
  'windowed upsert': ['windows'],
  'keyBy with state': ['totals'],
  'two sinks': ['rows', 'windows'],
}

/** Makes worlds: a data directory and a schema for each life's pipeline, in one Postgres. */
export class Worlds {
  readonly #directory: string
  readonly #server: PostgresServer
  readonly #pool: pg.Pool
  #count = 0

  private constructor(directory: string, server: PostgresServer) {
    this.#directory = directory
    this.#server = server
    this.#pool = new pg.Pool({ connectionString: server.url, max: 4 })
    this.#pool.on('error', () => {})
  }

  static async start(): Promise<Worlds> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-crash-'))
    const server = await startPostgres({
      directory: join(directory, 'postgres'),
      // Kills here are of our process, never of the server's machine.
      settings: { shared_buffers: '64MB', fsync: 'off', full_page_writes: 'off' },
    })
    return new Worlds(directory, server)
  }

  async make(pipeline: PipelineName): Promise<World> {
    const schema = `world_${this.#count++}`
    await this.#pool.query(`CREATE SCHEMA ${schema}`)
    return { pipeline, schema, url: this.#server.url, directory: join(this.#directory, schema) }
  }

  /** Lets the pipeline come to its end undisturbed, and looks at what is left. */
  async outcome(world: World): Promise<Outcome> {
    const { late } = await liveOn(world)
    const tables: Record<string, { rows: number; digest: string }> = {}
    for (const table of TABLES[world.pipeline]) {
      const { rows } = await this.#pool.query<{ rows: number; digest: string }>(
        `SELECT count(*)::int AS rows, md5(coalesce(string_agg(t::text, ';' ORDER BY t::text), '')) AS digest
         FROM ${world.schema}.${table} t`,
      )
      tables[table] = rows[0] ?? { rows: 0, digest: '' }
    }
    return { tables, late }
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.#pool.query<Record<string, unknown>>(sql)).rows
  }

  async drop(world: World): Promise<void> {
    await this.#pool.query(`DROP SCHEMA ${world.schema} CASCADE`)
    await rm(world.directory, { recursive: true })
  }

  async stop(): Promise<void> {
    await this.#pool.end()
    await this.#server.stop()
    await rm(this.#directory, { recursive: true })
  }
}
