import { FailedError } from '@millrace/core'
import { type CarriedError, carriedError } from '@millrace/core/internal'
import { moduleBeside, startThread, type Thread, type ThreadEnd } from '@millrace/core/io'
import type { Order, Report, StageThreadData } from './messages.ts'

const MODULE = moduleBeside(import.meta.url, 'stage-thread')

/** How long a thread may take to leave by itself once its stages are closed. */
const LEAVE_MS = 1000

/** The stages that run in one other thread. Orders are given one after the other. */
export class RemoteStages {
  readonly share: StageThreadData['share']
  readonly #thread: Thread
  readonly #onReport: (report: Report) => void
  #answer = Promise.withResolvers<void>()
  #hasEnded = false

  /** @param onReport gets what is no answer: progress, notices, failures. */
  constructor(pipeline: string, data: StageThreadData, onReport: (report: Report) => void) {
    this.share = data.share
    this.#onReport = onReport
    // The system shows 15 characters of it.
    const name = `stages ${data.thread + 1}`
    this.#thread = startThread(MODULE, { name, data, ports: [data.logPort] })
    this.#answer.promise.catch(() => {})
    this.#thread.channel.listen({
      onMessage: (message) => this.#receive(message as Report),
      onClose: () => {},
    })
    void this.#thread.ended.then((end) => this.#onThreadEnded({ pipeline, thread: name }, end))
  }

  /** Its script is imported. */
  ready(): Promise<void> {
    return this.#answer.promise
  }

  /** @throws what the stage can't be opened for. */
  open(stage: string): Promise<void> {
    return this.#ask({ open: stage })
  }

  /**
   * Runs all its stages and closes them.
   *
   * @throws FailedError THREAD_FAILED when the thread ended before it was done.
   */
  run(): Promise<void> {
    return this.#ask({ run: true })
  }

  /** Closes stages that were not run; does nothing after {@link RemoteStages.run}. */
  async close(): Promise<void> {
    if (!this.#hasEnded) await this.#ask({ close: true })
    // What the user's script left running is not waited for.
    const leave = setTimeout(() => void this.#thread.kill(), LEAVE_MS)
    await this.#thread.ended
    clearTimeout(leave)
  }

  /** What needs no answer. */
  tell(order: Order): void {
    this.#thread.channel.post(order)
  }

  /** Ends the thread where it stands; what it was asked for rejects. */
  kill(): Promise<void> {
    return this.#thread.kill()
  }

  #ask(order: Order): Promise<void> {
    if (this.#hasEnded) return this.#answer.promise
    this.#answer = Promise.withResolvers<void>()
    this.#answer.promise.catch(() => {})
    this.tell(order)
    return this.#answer.promise
  }

  #receive(report: Report): void {
    if ('ready' in report || 'opened' in report) this.#answer.resolve()
    else if ('refused' in report) this.#refuse(report.refused)
    else {
      this.#onReport(report)
      if (!('ended' in report)) return
      this.#hasEnded = true
      this.#answer.resolve()
    }
  }

  #refuse(error: CarriedError): void {
    this.#answer.reject(carriedError(error))
  }

  #onThreadEnded(place: ThreadPlace, end: ThreadEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const failure = threadFailed(place, end)
    this.#answer.reject(failure)
    // When nothing was asked just then, whatever is asked next hears of it.
    this.#answer = Promise.withResolvers<void>()
    this.#answer.promise.catch(() => {})
    this.#answer.reject(failure)
  }
}

interface ThreadPlace {
  readonly pipeline: string
  readonly thread: string
}

function threadFailed(place: ThreadPlace, { error, exitCode }: ThreadEnd): FailedError {
  const why = error instanceof Error ? error.message : `it left with exit code ${exitCode}`
  return new FailedError(
    'THREAD_FAILED',
    `The thread "${place.thread}" of ${place.pipeline} ended: ${/[.!?]$/.test(why) ? why : `${why}.`} What it had not committed is ` +
      'given up; the next run goes on from the last commit.',
    { cause: error, facts: { ...place, exitCode } },
  )
}
