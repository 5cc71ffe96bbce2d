import { UnavailableError, UsageError } from '@millrace/core'
import pRetry from 'p-retry'
import pg from 'pg'
import { CopyBuffer } from './copy-buffer.ts'
import { CopyIn } from './copy-in.ts'
import { ConnectionLostError, codeOf, verdictOf, wordsOf } from './server-errors.ts'

const connectTimeoutMs = 10_000
const connectAttemptsMax = 5

/** One connection to the server. Once {@link isBroken} it never works again. */
export class Session {
  /** Rows on their way through this session; one COPY at a time uses it. */
  readonly buffer = new CopyBuffer()
  readonly #client: pg.Client
  #isBroken = false

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

  /** Leaves a transaction; a session that can't is broken. */
  async rollback(): Promise<void> {
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

/**
 * Reads a connection URL; without one, `DATABASE_URL`.
 *
 * @throws UsageError when there is none, or it can't be read. The URL itself is never shown.
 */
export function databaseOf(url: string | undefined): Database {
  const given = url ?? process.env['DATABASE_URL']
  const source = given === process.env['DATABASE_URL'] ? 'DATABASE_URL' : 'The database URL'
  if (given === undefined || given === '') {
    throw new UsageError(
      'USAGE',
      `No database is named. Set DATABASE_URL, or give postgres(url). ${urlForm}`,
    )
  }
  let parsed: URL
  try {
    parsed = new URL(given)
  } catch {
    throw new UsageError('USAGE', badUrl(source, 'it is not a URL'))
  }
  if (parsed.protocol !== 'postgres:' && parsed.protocol !== 'postgresql:') {
    throw new UsageError('USAGE', badUrl(source, `it begins with "${parsed.protocol}"`))
  }
  const user = decodeURIComponent(parsed.username)
  const database = decodeURIComponent(parsed.pathname.slice(1))
  const host = `${parsed.hostname || 'localhost'}:${parsed.port || '5432'}`
  return { url: given, label: `${user === '' ? '' : `${user}@`}${host}/${database}` }
}

/**
 * The first connection of a sink: what configuration must mend fails at once, what may pass is tried
 * {@link connectAttemptsMax} times.
 *
 * @throws UsageError wrong password, no such database or role.
 * @throws UnavailableError nobody answers.
 */
export async function firstSession(
  database: Database,
  notice: (message: string) => void,
  signal: AbortSignal,
): Promise<Session> {
  try {
    return await pRetry(() => Session.connect(database), {
      retries: connectAttemptsMax - 1,
      minTimeout: 200,
      factor: 2,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => !isRefusal(error),
      onFailedAttempt({ error, retriesLeft }) {
        if (retriesLeft === 0 || isRefusal(error)) return
        notice(`PostgreSQL at ${database.label} does not answer (${wordsOf(error)}); trying again`)
      },
    })
  } catch (error) {
    signal.throwIfAborted()
    throw explained(error, database)
  }
}

function isRefusal(error: unknown): boolean {
  if (lacksPassword(error)) return true
  return error instanceof pg.DatabaseError && verdictOf(error) !== 'retry'
}

/** The server asks for a password and there is none; pg says so in words alone. */
function lacksPassword(error: unknown): boolean {
  return error instanceof ConnectionLostError && /client password must be/.test(error.message)
}

function explained(error: unknown, { label }: Database): Error {
  const options = { cause: error, facts: { database: label } }
  const code = codeOf(error)
  if (lacksPassword(error)) {
    return new UsageError(
      'DATABASE_REFUSED',
      `PostgreSQL wants a password for ${label}, and none was given. Put it into the URL, after the ` +
        'user and ":" (special characters %-encoded), or set PGPASSWORD.',
      options,
    )
  }
  if (code.startsWith('28')) {
    const next = 'Check user and password in DATABASE_URL (special characters must be %-encoded).'
    return new UsageError(
      'DATABASE_REFUSED',
      `PostgreSQL refused the login ${label}: ${wordsOf(error)}. ${next}`,
      options,
    )
  }
  if (code === '3D000') {
    const next = 'Create it (CREATE DATABASE …) or correct the name at the end of DATABASE_URL.'
    return new UsageError(
      'DATABASE_REFUSED',
      `There is no such database: ${label}. ${next}`,
      options,
    )
  }
  if (isRefusal(error)) {
    return new UsageError(
      'DATABASE_REFUSED',
      `PostgreSQL at ${label} refused: ${wordsOf(error)}.`,
      options,
    )
  }
  return new UnavailableError(
    'UNAVAILABLE',
    `Can't connect to PostgreSQL at ${label} (${wordsOf(error) || code}). ` +
      'Is the server running, and are host and port right?',
    options,
  )
}

// Written without a password: the command line hides whatever stands in its place.
const urlForm =
  'A URL has the form postgres://user@host:5432/database, with ":" and the password after the user ' +
  '(special characters %-encoded).'

function badUrl(source: string, problem: string): string {
  return `${source} can't be read: ${problem}. ${urlForm}`
}
