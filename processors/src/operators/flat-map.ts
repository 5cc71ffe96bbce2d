import type { Operator } from './operator.ts'
import { type StreamRecord, withValue } from './record.ts'
import { eachRecord } from './step.ts'

/** Turns each value into any number of values, in order; each keeps the record's key and time. */
export function flatMap<K, V, R>(
  change: (value: V, record: StreamRecord<K, V>) => Iterable<R>,
  options: { readonly name?: string } = {},
): Operator<K, V, K, R> {
  return {
    apply: () => ({
      kind: 'flatMap',
      name: options.name,
      compile: ({ node }) =>
        eachRecord(node, (record, out) => {
          for (const value of change(record.value as V, record as StreamRecord<K, V>)) {
            out.next(withValue(record, value))
          }
        }),
    }),
  }
}
