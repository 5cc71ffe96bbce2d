import { Observable, type OperatorFunction, Subscriber } from 'rxjs'
import { AsyncCallback } from './async-callback.ts'
import type { StepScope } from './operator.ts'
import type { StreamRecord } from './record.ts'

/** Handles one record and passes what comes of it to `out`. */
export type HandleRecord = (record: StreamRecord, out: Subscriber<StreamRecord>) => void

/**
 * An RxJS operator from a function per record. A record on which it throws is the task's to judge
 * (`TaskContext.failed`): passed over, or the end of the stream.
 */
export function eachRecord(
  scope: StepScope,
  handle: HandleRecord,
): OperatorFunction<StreamRecord, StreamRecord> {
  return (source) =>
    new Observable((out) => source.subscribe(new RecordSubscriber(scope, handle, out)))
}

// A Subscriber of our own, since RxJS would wrap a plain observer twice and rethrow its errors later.
class RecordSubscriber extends Subscriber<StreamRecord> {
  readonly #scope: StepScope
  readonly #handle: HandleRecord
  readonly #out: Subscriber<StreamRecord>

  constructor(scope: StepScope, handle: HandleRecord, out: Subscriber<StreamRecord>) {
    super(out)
    this.#scope = scope
    this.#handle = handle
    this.#out = out
  }

  protected override _next(record: StreamRecord): void {
    try {
      this.#handle(record, this.#out)
    } catch (error) {
      judge(this.#scope, record, error, this.#out)
    }
  }
}

/** Lets the task judge a failure of a record: passes it over, or ends the stream. */
export function judge(
  scope: StepScope,
  record: StreamRecord,
  error: unknown,
  out: Subscriber<StreamRecord>,
): void {
  try {
    if (error instanceof AsyncCallback) throw error
    scope.task.failed(scope.node, record, error)
  } catch (final) {
    out.error(final)
  }
}
