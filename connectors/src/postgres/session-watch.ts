import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionLostError } from './server-errors.ts'
import { Session } from './session.ts'
import type { Database } from './session.ts'

const tickMs = 1_000
/** So long nothing moves before a second session is opened; and again as long until the next look. */
const lookAfterMs = 4_000
/** So long a look may take, from the connection to the last answer. */
const lookForMs = 10_000
/** A session on which nothing moves and that the server waits for, or doesn't know, has lost its line. */
const lostAfterMs = 30_000
const repeatNoticeMs = 60_000
/** After an abort a statement gets this long to end by itself, and as long again to be cancelled. */
const abortGraceMs = 2_000

/** Whose session it is, and who wants to hear of it. */
export interface Watched {
  readonly database: Database
  readonly session: Session
  /** The session's name in the server while it is in a transaction; behind a pooler its number says nothing. */
  readonly applicationName: string
  readonly notice: (message: string) => void
  readonly signal: AbortSignal
}

interface Standing {
  /** What the server's process waits for, such as `Lock:relation`. */
  readonly wait: string | null
  /** Sessions that hold a lock it wants. */
  readonly blockers: readonly Blocker[]
}

interface Blocker {
  /** 0: a prepared transaction. */
  readonly pid: number
  readonly who: string | null
  readonly state: string | null
  readonly seconds: number | null
  readonly query: string | null
}

/**
 * Runs `work` in a session and looks after it from a second one, where nothing moves for a while:
 * says whose lock it waits for, and hangs up when the line is dead, so that the work is done again.
 * After an abort what is still under way is cancelled.
 */
export async function underWatch<T>(watched: Watched, work: () => Promise<T>): Promise<T> {
  const watch = new SessionWatch(watched)
  try {
    return await work()
  } finally {
    watch.stop()
  }
}

/** States: quiet ⇄ looking (a second session asks the server) → stopped; or → ending (an abort) → stopped. */
class SessionWatch {
  readonly #watched: Watched
  readonly #timer: NodeJS.Timeout
  readonly #stopped = new AbortController()
  #isLooking = false
  #lookedMs = 0
  #bytesMoved: number
  #stillSinceMs = performance.now()
  #unreachableSinceMs: number | undefined
  #said = ''
  #saidMs = 0

  constructor(watched: Watched) {
    this.#watched = watched
    this.#bytesMoved = watched.session.bytesMoved
    this.#timer = setInterval(() => void this.#tick(), tickMs)
    this.#timer.unref()
    if (watched.signal.aborted) this.#end()
    else watched.signal.addEventListener('abort', this.#end)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#watched.signal.removeEventListener('abort', this.#end)
    this.#stopped.abort()
  }

  readonly #end = (): void => {
    void this.#cancel().catch(() => {})
  }

  async #cancel(): Promise<void> {
    const { session } = this.#watched
    const { signal } = this.#stopped
    await sleep(abortGraceMs, undefined, { signal })
    session.cancel()
    await sleep(abortGraceMs, undefined, { signal })
    session.hangUp()
  }

  async #tick(): Promise<void> {
    const { bytesMoved } = this.#watched.session
    const nowMs = performance.now()
    if (bytesMoved !== this.#bytesMoved) {
      this.#bytesMoved = bytesMoved
      this.#stillSinceMs = nowMs
      return
    }
    const quietSinceMs = Math.max(this.#stillSinceMs, this.#lookedMs)
    if (this.#isLooking || nowMs - quietSinceMs < lookAfterMs) return
    this.#isLooking = true
    try {
      const standing = await this.#look()
      if (!this.#stopped.signal.aborted)
        this.#judge(standing, performance.now() - this.#stillSinceMs)
    } catch {
      // A server that refuses (full, starting) has answered all the same.
      this.#unreachableSinceMs = undefined
    } finally {
      this.#lookedMs = performance.now()
      this.#isLooking = false
    }
  }

  /** `gone`: the server has no such session. `unreachable`: nobody answers. */
  async #look(): Promise<Standing | 'gone' | 'unreachable'> {
    const { database, session, applicationName } = this.#watched
    let second: Session | undefined
    const hangUp = (): void => second?.hangUp()
    try {
      second = await Session.connect(database)
      // A line that dies now would keep us from ever looking again; and who has stopped needs no answer.
      const tooLong = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(lookForMs)])
      tooLong.addEventListener('abort', hangUp)
      if (tooLong.aborted) hangUp()
      const { rows } = await second.query<Standing & { [column: string]: unknown }>(standingSql, [
        session.pid,
        applicationName,
      ])
      this.#unreachableSinceMs = undefined
      return rows[0] ?? 'gone'
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error
      this.#unreachableSinceMs ??= performance.now()
      return 'unreachable'
    } finally {
      await second?.close()
    }
  }

  #judge(standing: Standing | 'gone' | 'unreachable', stillMs: number): void {
    if (standing === 'unreachable') {
      const unreachableMs = performance.now() - (this.#unreachableSinceMs ?? Infinity)
      if (unreachableMs >= lostAfterMs) this.#hangUp('does not answer')
    } else if (standing === 'gone') {
      if (stillMs >= lostAfterMs) this.#hangUp('has ended our session')
    } else if (standing.blockers.length > 0) {
      this.#say(`waiting for a lock: ${standing.blockers.map(wordsOfBlocker).join('; ')}`)
    } else if (stillMs >= lostAfterMs) {
      if (standing.wait === 'Client:ClientRead') this.#hangUp('hears nothing of us')
      else this.#say(`PostgreSQL is still at work on a statement${waitWords(standing.wait)}`)
    }
  }

  #hangUp(what: string): void {
    this.#watched.notice(
      `PostgreSQL at ${this.#watched.database.label} ${what}; the connection is given up`,
    )
    this.#watched.session.hangUp()
  }

  /** Once, and then once a minute. */
  #say(message: string): void {
    const nowMs = performance.now()
    const topic = message.replaceAll(/ \d+ s\b/g, '')
    if (topic === this.#said && nowMs - this.#saidMs < repeatNoticeMs) return
    this.#said = topic
    this.#saidMs = nowMs
    this.#watched.notice(message)
  }
}

const standingSql = `
  SELECT a.wait_event_type || ':' || a.wait_event AS wait,
    (SELECT coalesce(json_agg(json_build_object('pid', b.pid, 'who', o.application_name || ' as ' || o.usename,
         'state', o.state, 'seconds', round(extract(epoch FROM clock_timestamp() - o.xact_start)),
         'query', left(o.query, 120)) ORDER BY b.pid), '[]')
     FROM (SELECT DISTINCT pid FROM unnest(pg_blocking_pids(a.pid)) AS p(pid)) AS b
     LEFT JOIN pg_stat_activity o ON o.pid = b.pid) AS blockers
  FROM pg_stat_activity a
  WHERE a.pid = $1 OR (a.application_name = $2 AND a.backend_type = 'client backend') LIMIT 1`

function wordsOfBlocker({ pid, who, state, seconds, query }: Blocker): string {
  if (pid === 0) return 'a prepared transaction holds it (see pg_prepared_xacts)'
  const since = seconds === null ? '' : ` for ${seconds} s`
  const statement = query === null || query === '' ? '' : `, last statement: ${oneLine(query)}`
  return (
    `session ${pid} (${who ?? 'of another role'}) holds it, ${state ?? 'state unknown'}${since}${statement}. ` +
    `To end it: SELECT pg_terminate_backend(${pid})`
  )
}

function waitWords(wait: string | null): string {
  return wait === null ? '' : ` (it waits for ${wait})`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
