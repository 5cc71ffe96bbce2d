import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PostgresServer, startPostgres } from '@millrace/connectors/testing'
import {
  BatchWriter,
  json,
  type Log,
  open,
  pipeline,
  type Pipeline,
  postgres,
  topic,
} from 'millrace'
import pg from 'pg'
import { type ReadBack, readAll } from './read-all.ts'

const ROWS_PER_BATCH = 5_000

/** How rows are written. */
export type Mode = 'append' | 'upsert'

/** A Postgres, a log, and pipelines from topics of the one into tables of the other. */
export class Workshop {
  readonly server: PostgresServer
  readonly directory: string
  readonly log: Log
  readonly #pool: pg.Pool

  private constructor(directory: string, server: PostgresServer, log: Log) {
    this.directory = directory
    this.server = server
    this.log = log
    this.#pool = new pg.Pool({ connectionString: server.url, max: 2 })
    this.#pool.on('error', () => {})
  }

  static async open(settings: Readonly<Record<string, string>> = {}): Promise<Workshop> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-bad-rows-'))
    const server = await startPostgres({
      directory: join(directory, 'postgres'),
      settings: { shared_buffers: '128MB', fsync: 'off', ...settings },
    })
    return new Workshop(directory, server, await open(join(directory, 'log')))
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.#pool.query<Record<string, unknown>>(sql)).rows
  }

  send(name: string, count: number, row: (id: number) => string, from = 0): Promise<void> {
    return sendRows(this.log, name, count, row, from)
  }

  pipeline(name: string, mode: Mode): Pipeline {
    return tablePipeline(name, mode, this.server.url)
  }

  letters(name: string): Promise<Map<number, ReadBack>> {
    return lettersOf(this.log, name)
  }

  async close(): Promise<void> {
    await this.#pool.end()
    await this.log.close()
    await this.server.stop()
    await rm(this.directory, { recursive: true })
  }
}

/** Appends rows as they are given, byte for byte; record n has the key `k n` and the time n. */
export async function sendRows(
  log: Log,
  name: string,
  count: number,
  row: (id: number) => string,
  from = 0,
): Promise<void> {
  const topics = await log.listTopics()
  if (!topics.some((each) => each.name === name)) {
    await log.createTopic({ name, config: { durability: 'os' } })
  }
  const batch = new BatchWriter()
  for (let id = from; id < from + count; id += 1) {
    batch.append(`k ${id}`, row(id), id, [{ key: 'trace', value: Buffer.from(String(id)) }])
    if (batch.recordCount < ROWS_PER_BATCH && id + 1 < from + count) continue
    await log.append({ topic: name, partition: 0, batch: batch.finish() })
  }
}

/** The pipeline from a topic into the table of the same name. */
export function tablePipeline(name: string, mode: Mode, url: string): Pipeline {
  const rows = topic(name, { value: json<{ id: number }>() })
  return pipeline(name, ({ from }) => {
    const key = mode === 'upsert' ? { key: 'id' as const } : {}
    from(rows).to(postgres.table(name, { url, ...key }))
  })
}

/** The dead letters of a pipeline, by the id of the record: record n of a topic has the offset n. */
export async function lettersOf(log: Log, name: string): Promise<Map<number, ReadBack>> {
  const all = await readAll(log, `${name}-dead-letters`)
  return new Map(all.map((letter) => [Number(letter.headers['millrace.offset']), letter]))
}
