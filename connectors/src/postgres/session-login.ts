import { UnavailableError, UsageError } from '@millrace/core'
import pRetry from 'p-retry'
import pg from 'pg'
import { ConnectionLostError, codeOf, verdictOf, wordsOf } from './server-errors.ts'
import { Session } from './session.ts'
import type { Database } from './session.ts'

const connectAttemptsMax = 5

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
        const what = error instanceof pg.DatabaseError ? 'takes nobody' : 'does not answer'
        notice(`PostgreSQL at ${database.label} ${what} (${wordsOf(error)}); trying again`)
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

function explained(error: unknown, database: Database): Error {
  const refusal = loginRefusal(error, database.label)
  if (refusal !== undefined) return refusal
  const { label } = database
  const options = { cause: error, facts: { database: label } }
  if (isRefusal(error)) {
    return new UsageError(
      'DATABASE_REFUSED',
      `PostgreSQL at ${label} refused: ${wordsOf(error)}.`,
      options,
    )
  }
  const next =
    error instanceof pg.DatabaseError
      ? 'The server is there but takes nobody at the moment; try again later.'
      : 'Is the server running, and are host and port right?'
  return new UnavailableError(
    'UNAVAILABLE',
    `Can't connect to PostgreSQL at ${label} (${wordsOf(error) || codeOf(error)}). ${next}`,
    options,
  )
}

/** In our words, when the server refuses the login itself, at the start or when a lost session is replaced. */
export function loginRefusal(error: unknown, label: string): UsageError | undefined {
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
  if (code !== '3D000') return undefined
  const next = 'Create it (CREATE DATABASE …) or correct the name at the end of DATABASE_URL.'
  return new UsageError('DATABASE_REFUSED', `There is no such database: ${label}. ${next}`, options)
}

// Written without a password: the command line hides whatever stands in its place.
const urlForm =
  'A URL has the form postgres://user@host:5432/database, with ":" and the password after the user ' +
  '(special characters %-encoded).'

function badUrl(source: string, problem: string): string {
  return `${source} can't be read: ${problem}. ${urlForm}`
}
