import { underWatch } from './session-watch.ts'
import type { Watched } from './session-watch.ts'
import { Session } from './session.ts'
import type { Database } from './session.ts'

/** A few sessions that tasks take turns with. A broken one is replaced by whoever needs it next. */
export class SessionPool {
  readonly #database: Database
  readonly #idle: Session[] = []
  readonly #waiting: (() => void)[] = []
  #free: number
  #isClosed = false

  constructor(database: Database, size: number, first: Session) {
    this.#database = database
    this.#free = size
    this.#idle.push(first)
  }

  /** Runs `work` with a session of its own; waits while all are taken. */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    await this.#acquire()
    try {
      const session = this.#takeIdle() ?? (await Session.connect(this.#database))
      try {
        return await work(session)
      } finally {
        if (session.isBroken || this.#isClosed) void session.close()
        else this.#idle.push(session)
      }
    } finally {
      this.#release()
    }
  }

  /** As {@link use}, with somebody who looks after the session meanwhile. */
  useWatched<T>(
    watcher: Pick<Watched, 'applicationName' | 'notice' | 'signal'>,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const { applicationName, notice, signal } = watcher
    const database = this.#database
    return this.use((session) =>
      underWatch({ database, session, applicationName, notice, signal }, () => work(session)),
    )
  }

  /** Closes the sessions; one that is in use as soon as it is not. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#idle.splice(0).map((session) => session.close()))
  }

  #takeIdle(): Session | undefined {
    for (;;) {
      const session = this.#idle.pop()
      if (session === undefined || !session.isBroken) return session
    }
  }

  async #acquire(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}
