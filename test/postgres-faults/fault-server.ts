import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type PostgresServer, startPostgres } from '@millrace/connectors/testing'
import pg from 'pg'

/** A real PostgreSQL that can be restarted, killed and brought back on the same port. */
export class FaultServer {
  readonly directory: string
  readonly #settings: Readonly<Record<string, string>>
  #server: PostgresServer

  private constructor(
    directory: string,
    settings: Readonly<Record<string, string>>,
    server: PostgresServer,
  ) {
    this.directory = directory
    this.#settings = { ...settings, port: String(server.port) }
    this.#server = server
  }

  /** @param within a directory to live in, instead of a temporary one. */
  static async start(
    settings: Readonly<Record<string, string>> = {},
    within?: string,
  ): Promise<FaultServer> {
    const directory = within ?? (await temporaryDirectory())
    const all = { shared_buffers: '32MB', ...settings }
    const server = await startPostgres({ directory: path.join(directory, 'pg'), settings: all })
    return new FaultServer(directory, all, server)
  }

  get url(): string {
    return this.#server.url
  }

  /** Where its tables lie. */
  get data(): string {
    return path.join(this.directory, 'pg', 'data')
  }

  get port(): number {
    return this.#server.port
  }

  /** The server's URL as another role. */
  urlOf(user: string, password: string): string {
    const url = new URL(this.url)
    url.username = user
    url.password = password
    return url.href
  }

  /** Rows of one or more statements, in a session of its own. */
  async query(sql: string): Promise<unknown[][]> {
    const session = await this.session()
    try {
      const result: unknown = await session.query({ text: sql, rowMode: 'array' })
      const last = Array.isArray(result) ? (result as unknown[]).at(-1) : result
      return (last as pg.QueryArrayResult<unknown[]>).rows
    } finally {
      await session.end()
    }
  }

  /** A session for whoever stands in the way. */
  async session(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url, application_name: 'bystander' })
    client.on('error', () => {})
    await client.connect()
    return client
  }

  async restart(): Promise<void> {
    await this.#server.stop()
    await this.#start()
  }

  /** Kills the first process as a crash of the machine would, and starts it again after a while. */
  async killAndStart(downMs: number): Promise<void> {
    process.kill(this.#server.pid, 'SIGKILL')
    await sleep(downMs)
    await this.#start()
  }

  /** Kills the server process behind a run's session, which makes the server start over. */
  async killBackend(): Promise<void> {
    const rows = await this.query(
      `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'millrace %'
       AND backend_type = 'client backend'`,
    )
    for (const [pid] of rows) process.kill(Number(pid), 'SIGKILL')
  }

  async stop(): Promise<void> {
    await this.#server.stop()
    await fs.rm(this.directory, { recursive: true, force: true })
  }

  /** Starts it where it has died; else does nothing. */
  async startAgain(): Promise<void> {
    await this.#start()
  }

  async #start(): Promise<void> {
    const settings = this.#settings
    this.#server = await startPostgres({ directory: path.join(this.directory, 'pg'), settings })
  }
}

/** A directory of its own for one test file, which a server of another account may enter. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await fs.mkdtemp(path.join(tmpdir(), 'millrace-faults-'))
  await fs.chmod(directory, 0o755)
  return directory
}

/** Whether {@link mountTmpfs} is allowed, tried on a directory that nobody else uses. */
export async function mayMountTmpfs(): Promise<boolean> {
  const directory = await temporaryDirectory()
  const unmount = mountTmpfs(directory, 1)
  unmount?.()
  await fs.rmdir(directory)
  return unmount !== undefined
}

/** Mounts a small file system in memory on an empty directory; undefined where that is not allowed. */
export function mountTmpfs(directory: string, megabytes: number): (() => void) | undefined {
  // What lies below a mount is out of sight, for every process of the machine.
  if (readdirSync(directory).length > 0) throw new Error(`${directory} is not empty.`)
  try {
    execFileSync(
      'mount',
      ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0777`, 'tmpfs', directory],
      {
        stdio: 'ignore',
      },
    )
    return () => execFileSync('umount', ['--lazy', directory], { stdio: 'ignore' })
  } catch {
    return undefined
  }
}

/** Gives a mounted tmpfs more room, while it is in use. */
export function growTmpfs(directory: string, megabytes: number): void {
  execFileSync('mount', ['-o', `remount,size=${megabytes}m`, directory], { stdio: 'ignore' })
}
