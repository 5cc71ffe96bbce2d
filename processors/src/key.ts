import { type Column, defineSerde, json, type Serde, UsageError } from '@millrace/core'
import { isHeld, timeOfText } from '@millrace/core/internal'
import { expecting } from '@millrace/core/options'
import { checkPart } from './check-description.ts'
import type { NamedKey } from './operators/record.ts'
import { parseRich, stringifyRich } from './state/rich-json.ts'

/**
 * What makes up a key: one property of the value, several, or named functions of it. Named, because
 * sinks find columns by these names.
 */
export type KeySpec<V> =
  | (keyof V & string)
  | readonly (keyof V & string)[]
  | { readonly [name: string]: (value: V) => unknown }

/** The key's type that a {@link KeySpec} makes. */
export type KeyOf<V, S> = S extends readonly (infer Name)[]
  ? { readonly [P in Name & keyof V]: V[P] }
  : S extends string
    ? { readonly [P in S & keyof V]: V[P] }
    : { readonly [P in keyof S]: S[P] extends (value: V) => infer R ? R : never }

/** A key specification made ready for use. */
export interface KeyRule {
  readonly columns: readonly Column[]
  /** Each column is the value's property of its name. */
  readonly byName: boolean
  /** The key of a value; null when a part of it is null or undefined. */
  readonly keyOf: (value: unknown) => NamedKey | null
}

const keySpec = expecting(
  'a name, a list of names, or an object of functions',
  (spec) =>
    isName(spec) ||
    (Array.isArray(spec)
      ? spec.every(isName)
      : typeof spec === 'object' &&
        spec !== null &&
        Object.values(spec).every((part) => typeof part === 'function')),
)

function isName(part: unknown): boolean {
  return typeof part === 'string' && part !== ''
}

/**
 * Reads a {@link KeySpec}; column types are taken from `known` columns of the value.
 *
 * @param where whose key it is, for messages.
 * @throws UsageError PIPELINE_INVALID for a key named `__proto__`, which assigning could not make.
 */
export function keyRule(
  where: string,
  spec: KeySpec<never>,
  known: readonly Column[] = [],
): KeyRule {
  checkPart(where, 'key', spec, keySpec)
  const names = typeof spec === 'string' ? [spec] : Array.isArray(spec) ? spec : Object.keys(spec)
  const byName = typeof spec === 'string' || Array.isArray(spec)
  if (names.includes('__proto__')) {
    throw new UsageError(
      'PIPELINE_INVALID',
      'A key cannot be named "__proto__"; name it otherwise.',
    )
  }
  const columns = names.map((name: string) => keyColumn(name, byName ? known : []))
  if (!byName) return { columns, byName, keyOf: keyByFunctions(spec as KeyFunctions) }
  const [first] = names
  return {
    columns,
    byName,
    keyOf: names.length === 1 && first !== undefined ? keyByName(first) : keyByNames(names),
  }
}

type KeyFunctions = Readonly<Record<string, (value: unknown) => unknown>>

function keyByName(name: string): KeyRule['keyOf'] {
  return (value) => {
    const part = (value as NamedKey | null)?.[name]
    return part === null || part === undefined ? null : { [name]: part }
  }
}

function keyByNames(names: readonly string[]): KeyRule['keyOf'] {
  return (value) => completeKey(names, (name) => (value as NamedKey | null)?.[name])
}

function keyByFunctions(functions: KeyFunctions): KeyRule['keyOf'] {
  const names = Object.keys(functions)
  return (value) => completeKey(names, (name) => functions[name]?.(value))
}

function completeKey(names: readonly string[], partOf: (name: string) => unknown): NamedKey | null {
  const key: Record<string, unknown> = {}
  for (const name of names) {
    const part = partOf(name)
    if (part === null || part === undefined) return null
    key[name] = part
  }
  return key
}

function keyColumn(name: string, known: readonly Column[]): Column {
  const column = known.find((candidate) => candidate.name === name)
  if (column === undefined) return { name, type: 'json', nullable: false, isUntyped: true }
  return { name, type: column.type, nullable: false }
}

/** Writes named keys as JSON objects with their properties in order; timestamps as milliseconds. */
export function namedKeySerde(columns: readonly Column[]): Serde<NamedKey> {
  const times = columns.filter(({ type }) => type === 'timestamp').map(({ name }) => name)
  return defineSerde<NamedKey>({
    name: 'key',
    columns,
    copies: true,
    encode: (key) => stringifyRich(times.length === 0 ? key : timesToMs(key, times)),
    decode(buffer, start, end) {
      const key = parseRich(buffer.toString('utf8', start, end))
      // Another program may have written it. Two ids that are rounded to one would be one row.
      if (!isHeld(key)) anyJson.decode(buffer, start, end)
      // Records with the same key share it: whoever changes it would change it for them all.
      return Object.freeze(msToTimes(key as NamedKey, times))
    },
  })
}

const anyJson = json()

function timesToMs(key: NamedKey, times: readonly string[]): NamedKey {
  const written: Record<string, unknown> = { ...key }
  for (const name of times) {
    const part = written[name]
    if (part instanceof Date) written[name] = part.getTime()
    if (typeof part !== 'string') continue
    // As a file may give it. Text that is no time stays: the value, of the same type, is refused.
    const ms = Math.floor(timeOfText(part))
    if (!Number.isNaN(ms)) written[name] = ms
  }
  return written
}

function msToTimes(key: NamedKey, times: readonly string[]): NamedKey {
  if (times.length === 0) return key
  const read: Record<string, unknown> = { ...key }
  for (const name of times) {
    const part = read[name]
    if (typeof part === 'number') read[name] = new Date(part)
  }
  return read
}

/** Keys of a serde of the user's: objects are named keys as they are, anything else is the property `key`. */
export function wrappedKeySerde(serde: Serde<unknown>): Serde<NamedKey> {
  return defineSerde<NamedKey>({
    name: serde.name,
    columns: keyColumnsOf(serde),
    encode: (key) => serde.encode(isScalarKey(key) ? key.key : key),
    decode(buffer, start, end) {
      const key = serde.decode(buffer, start, end)
      return isNamed(key) ? key : { key }
    },
  })
}

/** Columns that a serde's keys have: its own when they are objects, else `key`. */
export function keyColumnsOf(serde: Serde<unknown>): readonly Column[] {
  return serde.columns ?? [{ name: 'key', type: scalarType(serde.name), nullable: false }]
}

function scalarType(name: string): Column['type'] {
  return name === 'string' || name === 'int64' || name === 'bytes' ? name : 'json'
}

function isScalarKey(key: NamedKey): boolean {
  const names = Object.keys(key)
  return names.length === 1 && names[0] === 'key'
}

function isNamed(key: unknown): key is NamedKey {
  return typeof key === 'object' && key !== null && !(key instanceof Uint8Array)
}
