import { parseRich, stringifyRich } from '../state/rich-json.ts'
import type { NamedKey } from './record.ts'

// Key objects are shared between records, so that most are written out once.
const textByKey = new WeakMap<NamedKey, string>()

/** A key as text: equal for equal keys. */
export function keyText(key: NamedKey): string {
  const known = textByKey.get(key)
  if (known !== undefined) return known
  const text = stringifyRich(key)
  textByKey.set(key, text)
  return text
}

/** The key that {@link keyText} wrote. */
export function keyOfText(text: string): NamedKey {
  return parseRich(text) as NamedKey
}
