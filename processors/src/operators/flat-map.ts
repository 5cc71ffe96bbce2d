import { checkCallback, checkDescription, NAMED } from '../check-description.ts'
import { refusePromise } from './async-callback.ts'
import type { Operator } from './operator.ts'
import { type StreamRecord, withValue } from './record.ts'
import { eachRecord } from './step.ts'

/** Turns each value into any number of values, in order; each keeps the record's key and time. */
export function flatMap<K, V, R>(
  change: (value: V, record: StreamRecord<K, V>) => Iterable<R>,
  options: { readonly name?: string } = {},
): Operator<K, V, K, R> {
  checkCallback('flatMap', change)
  checkDescription('flatMap', options, NAMED)
  return {
    apply: () => ({
      kind: 'flatMap',
      name: options.name,
      compile: (scope) =>
        eachRecord(scope, (record, out) => {
          const values = change(record.value as V, record as StreamRecord<K, V>)
          refusePromise(scope.node, values)
          // A generator is run to its end first: if it throws, nothing of the record has left.
          for (const value of Array.isArray(values) ? values : [...values]) {
            refusePromise(scope.node, value)
            out.next(withValue(record, value as R))
          }
        }),
    }),
  }
}
