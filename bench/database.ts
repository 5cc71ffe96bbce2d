import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { startPostgres } from '@millrace/connectors/testing'
import pg from 'pg'

/** Whether the baseline can be measured here; Debian has it as `postgresql-client`. */
export function hasPsql(): boolean {
  try {
    execFileSync('psql', ['--version'])
    return true
  } catch {
    return false
  }
}

/** A real server on this machine and ways to use it. */
export interface Database {
  readonly url: string
  sql(text: string): Promise<Record<string, unknown>[]>
  /** `psql -c command`, as a person would load a file. */
  psql(command: string): Promise<void>
  /** A line for bash, which must succeed in all its parts. */
  shell(command: string): Promise<void>
}

/** Runs `work` with a server of its own under `directory`. */
export async function withDatabase<T>(
  directory: string,
  work: (database: Database) => Promise<T>,
  settings: Readonly<Record<string, string>> = {},
): Promise<T> {
  const server = await startPostgres({
    directory: join(directory, 'postgres'),
    settings: { shared_buffers: '1GB', max_wal_size: '8GB', autovacuum: 'off', ...settings },
  })
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  try {
    return await work({
      url: server.url,
      sql: async (text) => (await client.query<Record<string, unknown>>(text)).rows,
      psql: (command) =>
        new Promise((resolve, reject) => {
          execFile('psql', [server.url, '-X', '-q', '-c', command], (error) =>
            error ? reject(error) : resolve(),
          )
        }),
      shell: (command) =>
        new Promise((resolve, reject) => {
          execFile('bash', ['-o', 'pipefail', '-c', command], (error) =>
            error ? reject(error) : resolve(),
          )
        }),
    })
  } finally {
    await client.end()
    await server.stop()
  }
}
