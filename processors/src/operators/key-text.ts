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

const READ_KEYS_MAX = 8192
const readKeys = new Map<string, NamedKey>()

/** The key that {@link keyText} wrote. */
export function keyOfText(text: string): NamedKey {
  const known = readKeys.get(text)
  if (known !== undefined) return known
  const key = parseRich(text) as NamedKey
  if (readKeys.size >= READ_KEYS_MAX) readKeys.clear()
  readKeys.set(text, key)
  return key
}
