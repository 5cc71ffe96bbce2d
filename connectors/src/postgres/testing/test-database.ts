import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Column, DeadLetter, Json, SinkBatch, SinkContext } from '@millrace/processors'
import pg from 'pg'
import { startPostgres } from '../../testing/index.ts'
import type { PostgresServer } from '../../testing/index.ts'

/** A real server for one test file, in a directory of its own. */
export class TestDatabase {
  readonly server: PostgresServer
  readonly #directory: string
  readonly #pool: pg.Pool

  private constructor(server: PostgresServer, directory: string) {
    this.server = server
    this.#directory = directory
    this.#pool = new pg.Pool({ connectionString: server.url, max: 3 })
    this.#pool.on('error', () => {})
  }

  static async start(): Promise<TestDatabase> {
    const directory = await fs.mkdtemp(path.join(tmpdir(), 'millrace-test-'))
    await fs.chmod(directory, 0o755)
    const server = await startPostgres({
      directory: path.join(directory, 'postgres'),
      settings: { shared_buffers: '32MB' },
    })
    return new TestDatabase(server, directory)
  }

  get url(): string {
    return this.server.url
  }

  /** Rows of a query as arrays. */
  async rows(sql: string, values: unknown[] = []): Promise<unknown[][]> {
    return (await this.#pool.query({ text: sql, values, rowMode: 'array' })).rows
  }

  async stop(): Promise<void> {
    await this.#pool.end()
    await this.server.stop()
    await fs.rm(this.#directory, { recursive: true })
  }
}

/** What a sink is opened with in tests; its notices and dead letters are kept. */
export function testContext(options: {
  pipeline?: string
  logId?: string
  columns?: readonly Column[]
  hasDeadLetters?: boolean
}): SinkContext & { notices: string[]; letters: DeadLetter[]; abort: () => void } {
  const controller = new AbortController()
  const letters: DeadLetter[] = []
  const notices: string[] = []
  return {
    pipeline: options.pipeline ?? 'test',
    logId: options.logId ?? 'log-1',
    columns: options.columns ?? [],
    signal: controller.signal,
    abort: () => controller.abort(),
    notices,
    letters,
    notice: (message) => void notices.push(message),
    ...(options.hasDeadLetters === true
      ? { deadLetter: async (some: readonly DeadLetter[]) => void letters.push(...some) }
      : {}),
  }
}

type Row = Readonly<Record<string, unknown>>

/** A batch of rows without keys. */
export function batchOf(values: readonly (Row | null)[], position: Json = null): SinkBatch {
  return { size: values.length, keys: values.map(() => null), values, position }
}

/** A batch of [key, value] pairs. */
export function keyedBatch(
  pairs: readonly (readonly [Row | null, Row | null])[],
  position: Json = null,
): SinkBatch {
  return {
    size: pairs.length,
    keys: pairs.map(([key]) => key),
    values: pairs.map(([, value]) => value),
    position,
  }
}
