import { UsageError } from '@millrace/core'
import { columnOf, RowMisfit, type Part } from './row-encoder.ts'
import { msOf } from '../parquet/parquet-value.ts'

/** One part of a partitioned path: a column, a part of a time in one (UTC), or a function of the row. */
export type PathPart<Name extends string = string> =
  | Name
  | { readonly year: Name }
  | { readonly month: Name }
  | { readonly day: Name }
  | { readonly hour: Name }
  | ((row: Readonly<Record<string, unknown>>) => unknown)

/** Columns that make directories `name=value`, in order. */
export type PathBy<Name extends string = string> =
  | Name
  | readonly Name[]
  | { readonly [directory: string]: PathPart<Name> }

/** The columns that a rule reads, as far as its type tells: with a function in it, none. */
export type ColumnsOf<By> = string extends NamesIn<By> ? never : NamesIn<By>

type NamesIn<By> = By extends string
  ? By
  : By extends readonly (infer Name)[]
    ? Name & string
    : { [Directory in keyof By]: ColumnOf<By[Directory]> }[keyof By]

type ColumnOf<Part> = Part extends string
  ? Part
  : Part extends (row: never) => unknown
    ? never
    : Part[keyof Part] & string

/** Which directory a row goes to. */
export interface PathRule {
  /** Relative, empty without partitions. @throws RowMisfit the value can't be part of a path. */
  directoryOf(key: Part, value: Part): string
  /** Columns that the path says in full, and files leave out. */
  readonly said: ReadonlySet<string>
}

/** What Hive and those after it write for null. */
export const NULL_VALUE = '__HIVE_DEFAULT_PARTITION__'
const COMPONENT_BYTES_MAX = 255

/** @throws UsageError for names or parts that make no path. */
export function pathRule(by: PathBy<string> | undefined, sink: string): PathRule {
  const parts = partsOf(by)
  for (const [name] of parts) checkName(name, sink)
  const components = parts.map(([name, part]) => {
    const read = reader(part, sink)
    const nameOf = remembering(`${escapeValue(name)}=`)
    return (key: Part, value: Part) => nameOf(read(key, value))
  })
  return {
    said: new Set(parts.filter(([name, part]) => name === part).map(([name]) => name)),
    directoryOf(key, value) {
      let path = ''
      for (const [i, componentOf] of components.entries()) {
        path += i === 0 ? componentOf(key, value) : `/${componentOf(key, value)}`
      }
      return path
    },
  }
}

const REMEMBERED_MAX = 1000

/** Names of directories by value: there are few, and many rows. */
function remembering(prefix: string): (value: unknown) => string {
  const known = new Map<unknown, string>()
  return (value) => {
    const found = known.get(value)
    if (found !== undefined) return found
    const made = component(prefix, value)
    // A date is an object, and may change.
    if (typeof value !== 'object' && known.size < REMEMBERED_MAX) known.set(value, made)
    return made
  }
}

function partsOf(by: PathBy<string> | undefined): [string, PathPart<string>][] {
  if (by === undefined) return []
  const names: readonly string[] | undefined =
    typeof by === 'string' ? [by] : Array.isArray(by) ? (by as readonly string[]) : undefined
  return names === undefined ? Object.entries(by as object) : names.map((name) => [name, name])
}

type Row = Readonly<Record<string, unknown>>
type Read = (key: Part, value: Part) => unknown

function reader(part: PathPart<string>, sink: string): Read {
  if (typeof part === 'string') return (key, value) => columnOf(key, value, part)
  if (typeof part === 'function') return (key, value) => called(part, { ...value, ...key })
  const [unit = '', column] = Object.entries(part)[0] ?? []
  const cut = cuts.get(unit)
  if (cut === undefined || typeof column !== 'string') {
    const known = [...cuts.keys()].join(', ')
    throw new UsageError(
      'USAGE',
      `${sink}: partitionBy knows ${known} of a time, and no "${unit}".`,
    )
  }
  return (key, value) => cutTime(columnOf(key, value, column), column, cut)
}

/** What a function of the user's makes of a row; one that throws refuses it. */
function called(part: (row: Row) => unknown, row: Row): unknown {
  try {
    return part(row)
  } catch (error) {
    throw new RowMisfit(`partitionBy threw: ${String(error)}`)
  }
}

const cuts = new Map<string, (iso: string) => string>([
  ['year', (iso) => iso.slice(0, -20)],
  ['month', (iso) => iso.slice(-19, -17)],
  ['day', (iso) => iso.slice(0, -14)],
  ['hour', (iso) => iso.slice(-13, -11)],
])

function cutTime(stored: unknown, column: string, cut: (iso: string) => string): unknown {
  if (stored === null || stored === undefined) return null
  const ms = msOf(stored)
  if (ms === undefined) throw new RowMisfit(`column ${column}: ${short(stored)} is no time`)
  return cut(new Date(ms).toISOString())
}

function component(prefix: string, value: unknown): string {
  const text =
    prefix + (value === null || value === undefined ? NULL_VALUE : escapeValue(textOf(value)))
  if (Buffer.byteLength(text) <= COMPONENT_BYTES_MAX) return text
  throw new RowMisfit(
    `${short(text)}… can't be a directory: with ${Buffer.byteLength(text)} bytes its name is longer than ` +
      `the ${COMPONENT_BYTES_MAX} that file systems have`,
  )
}

function textOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
  }
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  throw new RowMisfit(`${short(value)} can't be a directory's name`)
}

/** As Hive does: what has a meaning in paths or to readers of them is `%` and two digits. */
function escapeValue(text: string): string {
  if (!text.isWellFormed()) throw new RowMisfit('a lone surrogate cannot be part of a path')
  return text.replaceAll(/[\p{Cc}"#%'*/:=?\\{[\]^|<>]/gu, percent)
}

function percent(character: string): string {
  return [...Buffer.from(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('')
}

function checkName(name: string, sink: string): void {
  if (name !== '' && name.isWellFormed() && Buffer.byteLength(escapeValue(name)) < 100) return
  throw new UsageError(
    'USAGE',
    `${sink}: partitionBy needs names of 1 to 100 bytes, not "${name}".`,
  )
}

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : String(JSON.stringify(value) ?? value)
  return text.slice(0, 60)
}
