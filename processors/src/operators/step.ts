import { MillraceError, RejectedError } from '@millrace/core'
import { Observable, type OperatorFunction, Subscriber } from 'rxjs'
import type { StreamRecord } from './record.ts'

/** Handles one record and passes what comes of it to `out`. */
export type HandleRecord = (record: StreamRecord, out: Subscriber<StreamRecord>) => void

/** An RxJS operator from a function per record; what it throws ends the stream, with `node` and origin named. */
export function eachRecord(
  node: string,
  handle: HandleRecord,
): OperatorFunction<StreamRecord, StreamRecord> {
  return (source) =>
    new Observable((out) => source.subscribe(new RecordSubscriber(node, handle, out)))
}

// A Subscriber of our own, since RxJS would wrap a plain observer twice and rethrow its errors later.
class RecordSubscriber extends Subscriber<StreamRecord> {
  readonly #node: string
  readonly #handle: HandleRecord
  readonly #out: Subscriber<StreamRecord>

  constructor(node: string, handle: HandleRecord, out: Subscriber<StreamRecord>) {
    super(out)
    this.#node = node
    this.#handle = handle
    this.#out = out
  }

  protected override _next(record: StreamRecord): void {
    try {
      this.#handle(record, this.#out)
    } catch (error) {
      this.#out.error(callbackError(this.#node, record, error))
    }
  }
}

/** What a callback threw, with the operator and the record it was working on. */
export function callbackError(node: string, record: StreamRecord, cause: unknown): MillraceError {
  const { origin, offset } = record
  const place = `${origin.topic}-${origin.partition}@${offset}`
  const code = cause instanceof MillraceError ? cause.code : 'CALLBACK_FAILED'
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new RejectedError(code, `${node} failed on the record at ${place}: ${reason}`, {
    cause,
    facts: { operator: node, topic: origin.topic, partition: origin.partition, offset },
  })
}
