import { checkDescription, NAMED } from '../check-description.ts'
import { type KeyOf, type KeySpec, keyRule } from '../key.ts'
import type { Operator } from './operator.ts'
import { derive } from './record.ts'
import { eachRecord } from './step.ts'

/**
 * Gives records the key that `spec` makes of their values: `'origin'`, `['origin', 'day']` or
 * `{ hour: f => … }`. A record for which a part is null or undefined has no key.
 *
 * Where state follows and the key is another than before, an internal topic brings the records of
 * each key together.
 */
export function keyBy<K, V, const S extends KeySpec<V>>(
  spec: S,
  options: { readonly name?: string } = {},
): Operator<K, V, KeyOf<V, S>, V> {
  checkDescription('keyBy', options, NAMED)
  const rule = keyRule('keyBy', spec as KeySpec<never>)
  return {
    apply: () => ({
      kind: 'keyBy',
      name: options.name,
      detail: rule.columns.map(({ name }) => name).join(', '),
      keepsValues: true,
      rekey: rule,
      compile: (scope) =>
        eachRecord(scope, (record, out) => {
          out.next(derive(record, rule.keyOf(record.value), record.value, record.timestampMs))
        }),
    }),
  }
}
