import { checkCallback, checkDescription, NAMED } from '../check-description.ts'
import type { Operator } from './operator.ts'
import type { StreamRecord } from './record.ts'
import { eachRecord } from './step.ts'

/** Looks at each record and passes it on. It may see a record again after a crash. */
export function tap<K, V>(
  look: (value: V, record: StreamRecord<K, V>) => void,
  options: { readonly name?: string } = {},
): Operator<K, V, K, V> {
  checkCallback('tap', look)
  checkDescription('tap', options, NAMED)
  return {
    apply: () => ({
      kind: 'tap',
      name: options.name,
      keepsValues: true,
      isOneToOne: true,
      compile: (scope) =>
        eachRecord(scope, (record, out) => {
          look(record.value as V, record as StreamRecord<K, V>)
          out.next(record)
        }),
    }),
  }
}
