import { RejectedError } from '@millrace/core'
import { sleep } from '@millrace/core/io'
import {
  callback,
  type Checks,
  count,
  either,
  group,
  milliseconds,
  oneOf,
  required,
  text,
} from '@millrace/core/options'
import { Observable, type Subscriber } from 'rxjs'
import { checkCallback, checkDescription } from '../check-description.ts'
import { KeyedQueue } from './keyed-queue.ts'
import type { Operator, StepScope } from './operator.ts'
import { type StreamRecord, withValue } from './record.ts'
import { eachRecord, judge } from './step.ts'

/** How `mapAsync` makes its calls, and what becomes of one that fails. */
export interface MapAsyncOptions<K, V, R> {
  readonly name?: string
  /** Calls under way at once in a task; default 16. */
  readonly concurrency?: number
  /**
   * `input` (default): results leave in the order of the input. `key`: calls and results of one key
   * are in order, others overtake. `none`: as they finish.
   */
  readonly order?: 'input' | 'key' | 'none'
  /** A call that takes longer has failed and its signal fires; default: no limit. */
  readonly timeoutMs?: number
  /** Further attempts after a failure, after `delayMs` (default 100), doubled each time; default none. */
  readonly retry?: { readonly attempts: number; readonly delayMs?: number }
  /**
   * When all attempts failed: `fail` (default) leaves it to the run's own policy, as with any callback;
   * `skip` leaves the record out and counts it; a function gives the value to use instead.
   */
  readonly onError?: 'fail' | 'skip' | ((error: unknown, value: V, record: StreamRecord<K, V>) => R)
}

type Retry = NonNullable<MapAsyncOptions<never, never, never>['retry']>

const CHECKS: Checks<MapAsyncOptions<never, never, never>> = {
  name: text,
  concurrency: count(),
  order: oneOf('input', 'key', 'none'),
  timeoutMs: milliseconds(1),
  retry: group<Retry>({ attempts: required(count(0)), delayMs: milliseconds() }),
  onError: either(oneOf('fail', 'skip'), callback),
}

/**
 * Turns each value into another by an asynchronous call. The epoch waits for its calls, so that no
 * record is passed over; after a crash calls of the last epoch are made again.
 */
export function mapAsync<K, V, R>(
  change: (value: V, record: StreamRecord<K, V>, signal: AbortSignal) => Promise<R>,
  options: MapAsyncOptions<K, V, R> = {},
): Operator<K, V, K, R> {
  checkCallback('mapAsync', change)
  checkDescription('mapAsync', options, CHECKS)
  const { concurrency = 16, order = 'input' } = options
  return {
    apply: () => ({
      kind: 'mapAsync',
      name: options.name,
      isOneToOne: true,
      detail: `${concurrency} at once, order: ${order}`,
      compile: (scope) => (source) =>
        new Observable((out) => {
          const calls = new Calls(
            scope,
            change as ChangeRecord,
            { ...(options as MapAsyncOptions<unknown, unknown, unknown>), concurrency, order },
            out,
          )
          scope.onDrain(() => calls.idle())
          return eachRecord(scope, (record) => calls.add(record))(source).subscribe(out)
        }),
    }),
  }
}

type ChangeRecord = (value: unknown, record: StreamRecord, signal: AbortSignal) => Promise<unknown>

type CallOptions = MapAsyncOptions<unknown, unknown, unknown> & {
  readonly concurrency: number
  readonly order: 'input' | 'key' | 'none'
}

/** One record's call. `result` is undefined until it is there, null when the record is left out. */
interface Call {
  readonly record: StreamRecord
  result: StreamRecord | null | undefined
}

// The queue is bounded by the epoch: no more records come in until `idle`.
class Calls {
  readonly #scope: StepScope
  readonly #change: ChangeRecord
  readonly #options: CallOptions
  readonly #out: Subscriber<StreamRecord>
  readonly #waiting: KeyedQueue<Call>
  /** With order `input`: calls whose results have not left, in input order. */
  #unsent: Call[] = []
  #unsentFrom = 0
  #running = 0
  #onIdle: (() => void) | undefined

  constructor(
    scope: StepScope,
    change: ChangeRecord,
    options: CallOptions,
    out: Subscriber<StreamRecord>,
  ) {
    this.#scope = scope
    this.#change = change
    this.#options = options
    this.#out = out
    const byKey = options.order === 'key'
    this.#waiting = new KeyedQueue((call) => (byKey ? call.record.key : null))
  }

  add(record: StreamRecord): void {
    const call: Call = { record, result: undefined }
    if (this.#options.order === 'input') this.#unsent.push(call)
    this.#waiting.push(call)
    this.#startNext()
  }

  async idle(): Promise<void> {
    if (this.#running === 0 || this.#out.closed) return
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
  }

  #startNext(): void {
    while (this.#running < this.#options.concurrency) {
      const call = this.#waiting.take()
      if (call === undefined) return
      this.#running++
      void this.#run(call)
    }
  }

  async #run(call: Call): Promise<void> {
    try {
      call.result = await this.#resultOf(call.record)
    } catch (error) {
      call.result = null
      judge(this.#scope, call.record, error, this.#out)
    }
    if (!this.#out.closed) this.#send(call)
    this.#running--
    this.#waiting.release(call)
    if (!this.#out.closed) this.#startNext()
    if (this.#running === 0 || this.#out.closed) this.#onIdle?.()
  }

  #send(call: Call): void {
    if (this.#options.order !== 'input') {
      if (call.result) this.#out.next(call.result)
      return
    }
    for (;;) {
      const next = this.#unsent[this.#unsentFrom]
      if (next === undefined || next.result === undefined) break
      this.#unsentFrom++
      if (next.result) this.#out.next(next.result)
    }
    if (this.#unsentFrom === this.#unsent.length) {
      this.#unsent = []
      this.#unsentFrom = 0
    }
  }

  async #resultOf(record: StreamRecord): Promise<StreamRecord | null> {
    const { retry, onError = 'fail' } = this.#options
    for (let failures = 0; ;) {
      try {
        return withValue(record, await this.#callOnce(record))
      } catch (error) {
        failures++
        if (failures <= (retry?.attempts ?? 0) && !this.#scope.task.signal.aborted) {
          await sleep(this.#scope.task.clock, (retry?.delayMs ?? 100) * 2 ** (failures - 1))
          continue
        }
        if (onError === 'fail') throw error
        if (onError !== 'skip') return withValue(record, onError(error, record.value, record))
        this.#scope.task.dropped(this.#scope.node, 'failed', record)
        return null
      }
    }
  }

  async #callOnce(record: StreamRecord): Promise<unknown> {
    const { signal, clock } = this.#scope.task
    const { timeoutMs } = this.#options
    if (timeoutMs === undefined) return this.#change(record.value, record, signal)
    const limit = new AbortController()
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    const timer = clock.schedule(timeoutMs, () => {
      const error = new RejectedError(
        'CALLBACK_TIMEOUT',
        `took longer than ${timeoutMs} ms; raise timeoutMs or say what to do by onError`,
      )
      limit.abort(error)
      reject(error)
    })
    try {
      const ended = AbortSignal.any([signal, limit.signal])
      return await Promise.race([this.#change(record.value, record, ended), tooLate])
    } finally {
      timer.cancel()
    }
  }
}
