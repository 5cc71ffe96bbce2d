import { RejectedError } from '@millrace/core'
import { Observable, type OperatorFunction, Subject } from 'rxjs'
import { checkCallback, checkDescription, NAMED } from '../check-description.ts'
import type { Operator, StepScope } from './operator.ts'
import { derive, type StreamRecord } from './record.ts'
import { eachRecord } from './step.ts'

/** What `rx` works on: a record without its place of origin. */
export interface RxRecord<K, V> {
  readonly key: K
  readonly value: V
  /** Event time, milliseconds since 1970. */
  readonly timestampMs: number
}

/**
 * Runs RxJS operators of your own over the records of one epoch: a finite Observable that completes at
 * the epoch's end, whose outputs are committed with it. Whatever the operators remember (`scan`,
 * `distinct`, `bufferCount`) starts afresh with each epoch; nothing is lost.
 */
export function rx<K, V, K2, V2>(
  build: (records: Observable<RxRecord<K, V>>) => Observable<RxRecord<K2, V2>>,
  options: { readonly name?: string } = {},
): Operator<K, V, K2, V2> {
  checkCallback('rx', build)
  checkDescription('rx', options, NAMED)
  return {
    apply: () => ({
      kind: 'rx',
      name: options.name,
      compile: (scope) =>
        epochScoped(
          scope,
          build as unknown as (records: Observable<StreamRecord>) => Observable<StreamRecord>,
        ),
    }),
  }
}

function epochScoped(
  scope: StepScope,
  build: (records: Observable<StreamRecord>) => Observable<StreamRecord>,
): OperatorFunction<StreamRecord, StreamRecord> {
  return (source) =>
    new Observable((out) => {
      let epoch:
        | { readonly records: Subject<StreamRecord>; readonly done: Promise<void> }
        | undefined
      let last: StreamRecord | undefined

      const begin = () => {
        const records = new Subject<StreamRecord>()
        const { promise: done, resolve } = Promise.withResolvers<void>()
        build(records).subscribe({
          next: (made) => {
            // Records that were passed on have their origin; those made anew get that of the last one in.
            const { key, value, timestampMs } = made
            out.next(
              Object.hasOwn(made, 'origin') ? made : derive(last ?? made, key, value, timestampMs),
            )
          },
          error: (error: unknown) => {
            // No policy may pass it over: the other records of the epoch are lost with the Observable.
            out.error(epochError(scope.node, last, error))
            resolve()
          },
          complete: resolve,
        })
        return { records, done }
      }

      scope.onDrain(async () => {
        const ending = epoch
        epoch = undefined
        ending?.records.complete()
        await ending?.done
      })
      const enter = eachRecord(scope, (record) => {
        last = record
        epoch ??= begin()
        epoch.records.next(record)
      })
      return enter(source).subscribe(out)
    })
}

function epochError(node: string, last: StreamRecord | undefined, cause: unknown): RejectedError {
  const place =
    last === undefined ? '' : ` after ${last.origin.topic}[${last.origin.partition}]@${last.offset}`
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new RejectedError(
    'CALLBACK_FAILED',
    `${node}: RxJS ended with an error${place}: ${reason} Nothing of the epoch was committed; ` +
      `catch what may fail inside rx(…), with catchError.`,
    { cause, facts: { operator: node, ...last?.origin, offset: last?.offset } },
  )
}
