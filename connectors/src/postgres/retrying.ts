import { setTimeout as sleep } from 'node:timers/promises'
import { RejectedError, UnavailableError, UsageError } from '@millrace/core'
import type { SinkContext } from '@millrace/processors'
import { codeOf, isServerError, verdictOf, wordsOf } from './server-errors.ts'

const retryDelayMinMs = 100
const retryDelayMaxMs = 10_000

/** What is tried, for messages. */
export interface Endeavour {
  readonly context: SinkContext
  /** The table as the user calls it. */
  readonly table: string
  /** The server; without the password. */
  readonly database: string
  /** How often what may pass is tried again. */
  readonly retries: number
}

/**
 * Tries again, with back-off and jitter, what may pass by itself: a lost connection, a deadlock, a
 * server that restarts. Everything else is thrown in our own words.
 *
 * @throws AbortError the context's signal fired while waiting.
 * @throws UnavailableError it did not pass in time.
 * @throws RejectedError PostgreSQL refuses the data without naming a row.
 * @throws UsageError rights, or a table that was changed meanwhile.
 */
export async function retrying<T>(endeavour: Endeavour, work: () => Promise<T>): Promise<T> {
  const { context, database, retries } = endeavour
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (verdictOf(error) !== 'retry' || attempt > retries) throw inOurWords(error, endeavour)
      const delayMs = delayBefore(attempt)
      context.notice(
        `PostgreSQL at ${database}: ${wordsOf(error)} (${codeOf(error)}); ` +
          `trying again in ${(delayMs / 1000).toFixed(1)} s`,
      )
      // An abort ends the wait only: what is under way in the database is not left behind.
      await sleep(delayMs, undefined, { signal: context.signal })
    }
  }
}

/** Doubles each time, with jitter, so that many that failed together don't come back together. */
function delayBefore(attempt: number): number {
  const ceiling = Math.min(retryDelayMaxMs, retryDelayMinMs * 2 ** attempt)
  return ceiling * (0.5 + Math.random() / 2)
}

function inOurWords(error: unknown, { database, table }: Endeavour): unknown {
  const verdict = verdictOf(error)
  const words = `${wordsOf(error)} (${codeOf(error)})`
  const options = { cause: error, facts: { database, table, code: codeOf(error) } }
  if (verdict === 'retry') {
    return new UnavailableError(
      'UNAVAILABLE',
      `PostgreSQL at ${database} can't be used at the moment: ${words}. Try again later.`,
      options,
    )
  }
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
