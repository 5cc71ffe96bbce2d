import { checkCallback, checkDescription, NAMED } from '../check-description.ts'
import { refusePromise } from './async-callback.ts'
import type { Operator } from './operator.ts'
import type { StreamRecord } from './record.ts'
import { eachRecord } from './step.ts'

/** Keeps the records that `keep` is true for; a type guard narrows the stream's type. */
export function filter<K, V, R extends V>(
  keep: (value: V, record: StreamRecord<K, V>) => value is R,
  options?: { readonly name?: string },
): Operator<K, V, K, R>
export function filter<K, V>(
  keep: (value: V, record: StreamRecord<K, V>) => boolean,
  options?: { readonly name?: string },
): Operator<K, V, K, V>
export function filter<K, V>(
  keep: (value: V, record: StreamRecord<K, V>) => boolean,
  options: { readonly name?: string } = {},
): Operator<K, V, K, V> {
  checkCallback('filter', keep)
  checkDescription('filter', options, NAMED)
  return {
    apply: () => ({
      kind: 'filter',
      name: options.name,
      keepsValues: true,
      isOneToOne: true,
      compile: (scope) =>
        eachRecord(scope, (record, out) => {
          const isKept = keep(record.value as V, record as StreamRecord<K, V>)
          refusePromise(scope.node, isKept)
          if (isKept) out.next(record)
        }),
    }),
  }
}
