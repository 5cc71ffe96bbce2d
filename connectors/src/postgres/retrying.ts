import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError, RejectedError, UnavailableError, UsageError } from '@millrace/core'
import type { SinkContext } from '@millrace/processors'
import { codeOf, isServerError, verdictOf, wordsOf } from './server-errors.ts'
import { loginRefusal } from './session-login.ts'

const retryDelayMinMs = 100
const retryDelayMaxMs = 10_000

/** What is tried, for messages. */
export interface Endeavour {
  readonly context: SinkContext
  /** The table as the user calls it. */
  readonly table: string
  /** The server; without the password. */
  readonly database: string
  /** How long what may pass is tried again. */
  readonly patienceMs: number
}

/**
 * Tries again, with back-off and jitter, what may pass by itself: a lost connection, a deadlock, a
 * server that restarts. Everything else is thrown in our own words.
 *
 * @throws UnavailableError it did not pass in time, or before the context's signal fired.
 * @throws RejectedError PostgreSQL refuses the data without naming a row.
 * @throws UsageError rights, or a table that was changed meanwhile.
 */
export async function retrying<T>(endeavour: Endeavour, work: () => Promise<T>): Promise<T> {
  const { context, database, patienceMs } = endeavour
  let failingSinceMs: number | undefined
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const nowMs = performance.now()
      failingSinceMs ??= nowMs
      const delayMs = delayBefore(attempt)
      const isOver = nowMs + delayMs - failingSinceMs > patienceMs
      if (verdictOf(error) !== 'retry' || isOver) {
        throw inOurWords(error, endeavour, nowMs - failingSinceMs)
      }
      context.notice(
        `PostgreSQL at ${database}: ${wordsOf(error)} (${codeOf(error)}); ` +
          `trying again in ${(delayMs / 1000).toFixed(1)} s`,
      )
      // What is under way in the database is ended by its watch, not here.
      await sleep(delayMs, undefined, { signal: context.signal }).catch(() => {
        throw givenUp(error, endeavour)
      })
    }
  }
}

/** An interrupt waits for what is under way, but not for ever. */
function givenUp(error: unknown, { context, database }: Endeavour): unknown {
  const { reason } = context.signal
  if (reason instanceof MillraceError) return reason
  return new UnavailableError(
    'UNAVAILABLE',
    `What was under way could not be stored in time after the interrupt, and was given up; PostgreSQL at ` +
      `${database}: ${wordsOf(error)} (${codeOf(error)}). What was committed stays, and the next run goes on from there.`,
    { cause: error },
  )
}

/** Doubles each time, with jitter, so that many that failed together don't come back together. */
function delayBefore(attempt: number): number {
  const ceiling = Math.min(retryDelayMaxMs, retryDelayMinMs * 2 ** attempt)
  return ceiling * (0.5 + Math.random() / 2)
}

function inOurWords(error: unknown, { database, table }: Endeavour, triedForMs: number): unknown {
  const verdict = verdictOf(error)
  const words = `${wordsOf(error)} (${codeOf(error)})`
  const options = { cause: error, facts: { database, table, code: codeOf(error) } }
  if (verdict === 'retry') {
    return new UnavailableError(
      'UNAVAILABLE',
      `PostgreSQL at ${database} can't be used at the moment: ${words}` +
        `${triedForMs < 1000 ? '' : `; tried for ${Math.round(triedForMs / 1000)} s`}. ` +
        'What was committed stays. Run the same again later: it goes on from there.',
      options,
    )
  }
  const login = loginRefusal(error, database)
  if (login !== undefined) return login
  if (!isServerError(error)) return error
  if (verdict === 'fatal') {
    return new UsageError(
      'DATABASE_REFUSED',
      `PostgreSQL at ${database} refuses to write to the table "${table}": ${words}. ` +
        'Nothing of the batch was written. Look at the rights on the table, and at its definition.',
      options,
    )
  }
  return new RejectedError(
    'ROW_REFUSED',
    `A batch can't be stored in the table "${table}": ${words}. PostgreSQL refuses it as a whole ` +
      '(at COMMIT), so that no single row can be named. Nothing of it was written.',
    options,
  )
}
