import { checkCallback, checkDescription, NAMED } from '../check-description.ts'
import { refusePromise } from './async-callback.ts'
import type { Operator } from './operator.ts'
import { type StreamRecord, withValue } from './record.ts'
import { eachRecord } from './step.ts'

/** Turns each value into another; key and time stay. For a function that gives promises: `mapAsync`. */
export function map<K, V, R>(
  change: (value: V, record: StreamRecord<K, V>) => R,
  options: { readonly name?: string } = {},
): Operator<K, V, K, R> {
  checkCallback('map', change)
  checkDescription('map', options, NAMED)
  return {
    apply: () => ({
      kind: 'map',
      name: options.name,
      isOneToOne: true,
      compile: (scope) =>
        eachRecord(scope, (record, out) => {
          const value = change(record.value as V, record as StreamRecord<K, V>)
          refusePromise(scope.node, value)
          out.next(withValue(record, value))
        }),
    }),
  }
}
