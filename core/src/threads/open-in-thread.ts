import { FailedError } from '../errors.ts'
import {
  channelOver,
  type MessagePort,
  moduleBeside,
  portPair,
  startThread,
  type Thread,
  type ThreadEnd,
} from '../io/node-thread.ts'
import type { OpenOptions } from '../open.ts'
import { carriedError } from './carried-error.ts'
import type { LogThreadData } from './log-thread.ts'
import type { Order, Report } from './messages.ts'
import { PortLog } from './port-log.ts'

const MODULE = moduleBeside(import.meta.url, 'log-thread')

/** Opens a log in a thread of its own; as `open`, otherwise. */
export async function openInThread(
  url: string,
  access: OpenOptions['access'],
): Promise<ThreadedLog> {
  const data: LogThreadData = { url, access }
  const thread = startThread(MODULE, { name: 'log', data })
  const reports = new Reports(thread, url)
  await reports.next()
  return new ThreadedLog(url, thread, reports)
}

/** A log in a thread of its own, held by who opened it. */
export class ThreadedLog extends PortLog {
  readonly #thread: Thread
  readonly #reports: Reports
  #closing: Promise<void> | undefined

  constructor(url: string, thread: Thread, reports: Reports) {
    super(channelOver(connect(thread)))
    this.#thread = thread
    this.#reports = reports
    void thread.ended.then((end) => this.fail(threadEnded(url, end)))
    thread.channel.setIdle(true)
  }

  /** Another way to the same log, for one more thread. */
  newPort(): MessagePort {
    return connect(this.#thread)
  }

  /** Ends the thread where it stands, as a crash would. */
  kill(): Promise<void> {
    return this.#thread.kill()
  }

  /** Closes the log for all threads that use it, and ends its thread. Idempotent. */
  override close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#thread.channel.setIdle(false)
    this.#thread.channel.post({ close: true } satisfies Order)
    try {
      await this.#reports.next()
    } finally {
      await super.close()
      await this.#thread.ended
    }
  }
}

function connect(thread: Thread): MessagePort {
  const [here, there] = portPair()
  thread.sendPort({ port: there } satisfies Order, there)
  return here
}

/** What the thread reports, one after the other. */
class Reports {
  readonly #come: Report[] = []
  readonly #end: Promise<never>
  #wake: (() => void) | undefined

  constructor(thread: Thread, url: string) {
    this.#end = thread.ended.then((end) => {
      throw threadEnded(url, end)
    })
    this.#end.catch(() => {})
    thread.channel.listen({
      onMessage: (message) => {
        this.#come.push(message as Report)
        this.#wake?.()
      },
      onClose: () => {},
    })
  }

  /** @throws what the thread failed with. */
  async next(): Promise<void> {
    const arrival = new Promise<void>((resolve) => (this.#wake = resolve))
    if (this.#come.length === 0) await Promise.race([arrival, this.#end])
    const report = this.#come.shift()
    if (report !== undefined && 'failed' in report) throw carriedError(report.failed)
  }
}

function threadEnded(url: string, { error, exitCode }: ThreadEnd): FailedError {
  const why = error instanceof Error ? error.message : `exit code ${exitCode}`
  return new FailedError(
    'LOG_FAILED',
    `The thread of the log ${url} ended (${why}). What was acknowledged is safe; whether the rest was ` +
      'written shows when the log is opened again.',
    { cause: error, facts: { url, exitCode } },
  )
}
