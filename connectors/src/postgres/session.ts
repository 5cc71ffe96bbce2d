import net from 'node:net'
import pg from 'pg'
import { CopyBuffer } from './copy-buffer.ts'
import { CopyIn } from './copy-in.ts'
import { CopyOut } from './copy-out.ts'
import type { TakeCopyData } from './copy-out.ts'
import { ConnectionLostError } from './server-errors.ts'

const connectTimeoutMs = 10_000
/** A peer that vanished is noticed some 20 seconds later; the system's own default is two hours. */
const keepAliveAfterMs = 10_000
/** Protocol number of a request to cancel. */
const cancelRequest = 80_877_102

/** One connection to the server. Once {@link isBroken} it never works again. */
export class Session {
  /** Rows on their way through this session; one COPY at a time uses it. */
  readonly buffer = new CopyBuffer()
  readonly #client: pg.Client
  #isBroken = false
  #rollbacks = 0

  private constructor(client: pg.Client) {
    this.#client = client
    // Without a listener a lost connection would end the process.
    client.on('error', () => (this.#isBroken = true))
    client.on('end', () => (this.#isBroken = true))
  }

  /** @throws DatabaseError the server refused; ConnectionLostError nobody answered. */
  static async connect(database: Database): Promise<Session> {
    const client = new pg.Client({
      connectionString: database.url,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveAfterMs,
      application_name: 'millrace',
    })
    const session = new Session(client)
    try {
      await client.connect()
    } catch (error) {
      await session.close()
      throw error instanceof pg.DatabaseError ? error : new ConnectionLostError(error)
    }
    return session
  }

  /** How many transactions were taken back, and with them what they had made in the session. */
  get rollbacks(): number {
    return this.#rollbacks
  }

  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Runs one statement, or several without parameters. */
  async query<R extends pg.QueryResultRow>(
    sql: string,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<R>> {
    try {
      return await this.#client.query<R>(sql, values === undefined ? undefined : [...values])
    } catch (error) {
      throw this.#lostOr(error)
    }
  }

  /** Runs a statement that the server keeps parsed under `name`. */
  async prepared<R extends pg.QueryResultRow>(
    name: string,
    sql: string,
    values: readonly unknown[],
  ): Promise<pg.QueryResult<R>> {
    try {
      return await this.#client.query<R>({ name, text: sql, values: [...values] })
    } catch (error) {
      throw this.#lostOr(error)
    }
  }

  /**
   * Runs one COPY whose bytes `feed` sends; when it throws, the COPY is taken back.
   *
   * @returns the rows that the server counted.
   */
  async copyIn(sql: string, feed: (copy: CopyIn) => Promise<void>): Promise<number> {
    let copy: CopyIn | undefined
    try {
      copy = await CopyIn.begin(this.#client, sql)
      await feed(copy)
      await copy.finish()
      return copy.rowCount
    } catch (error) {
      await copy?.cancel()
      throw this.#lostOr(error)
    }
  }

  /**
   * Runs one `COPY … TO STDOUT`. `take` gets whole CopyData messages as they came, which another server
   * takes as they are; no more come until it has resolved.
   */
  async copyOut(sql: string, take: TakeCopyData): Promise<void> {
    try {
      await CopyOut.run(this.#client, sql, take)
    } catch (error) {
      throw this.#lostOr(error)
    }
  }

  /** Number of the server's process behind this session. */
  get pid(): number {
    return this.#driver.processID ?? 0
  }

  /** Bytes that have left and come; it grows as long as anything moves. */
  get bytesMoved(): number {
    const { bytesRead, bytesWritten, writableLength } = this.#socket
    return bytesRead + bytesWritten - writableLength
  }

  /** Asks the server to give up the statement under way, which then fails; asks even a full server. */
  cancel(): void {
    const { host, port } = this.#client
    const request = Buffer.alloc(16)
    request.writeInt32BE(16, 0)
    request.writeInt32BE(cancelRequest, 4)
    request.writeInt32BE(this.pid, 8)
    request.writeInt32BE(this.#driver.secretKey ?? 0, 12)
    const socket = host.startsWith('/')
      ? net.connect(`${host}/.s.PGSQL.${port}`)
      : net.connect(port, host)
    socket.on('error', () => {})
    socket.setTimeout(connectTimeoutMs, () => socket.destroy())
    socket.end(request)
  }

  /** Hangs up at once: what is under way fails as with a lost connection. */
  hangUp(): void {
    this.#isBroken = true
    this.#socket.destroy()
  }

  /** Leaves a transaction; a session that can't is broken. */
  async rollback(): Promise<void> {
    this.#rollbacks += 1
    try {
      await this.#client.query('ROLLBACK')
    } catch {
      this.#isBroken = true
    }
  }

  async close(): Promise<void> {
    this.#isBroken = true
    await this.#client.end().catch(() => {})
  }

  /** Parts of pg's client that its types leave out. */
  get #driver(): { readonly processID?: number | null; readonly secretKey?: number | null } {
    return this.#client as object
  }

  get #socket(): net.Socket {
    return this.#client.connection.stream as net.Socket
  }

  #lostOr(error: unknown): unknown {
    if (error instanceof pg.DatabaseError) {
      if (error.severity === 'FATAL') this.#isBroken = true
      return error
    }
    return this.#isBroken ? new ConnectionLostError(error) : error
  }
}

/** Where to connect, and how to call it without giving the password away. */
export interface Database {
  readonly url: string
  /** `user@host:port/database`. */
  readonly label: string
}
