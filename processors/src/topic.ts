import {
  type Column,
  RejectedError,
  type Serde,
  type TopicConfig,
  UsageError,
} from '@millrace/core'
import { topicConfigChecks } from '@millrace/core/internal'
import {
  anySerde,
  anything,
  callback,
  type Checks,
  count,
  either,
  group,
  required,
  text,
} from '@millrace/core/options'
import { checkDescription } from './check-description.ts'
import {
  type KeyOf,
  keyColumnsOf,
  keyRule,
  type KeySpec,
  namedKeySerde,
  wrappedKeySerde,
} from './key.ts'
import type { NamedKey } from './operators/record.ts'

/**
 * A topic as pipelines see it: how its keys and values are written and where event time is. Making
 * one has no effect; a run creates it in the log if it isn't there.
 */
export interface Topic<K = unknown, V = unknown> {
  readonly kind: 'topic'
  readonly name: string
  /** Made by a pipeline for itself. */
  readonly internal: boolean
  /** Undefined: whatever the log has, 1 when it is created. */
  readonly partitions: number | undefined
  readonly config: Partial<TopicConfig>
  /** Writes and reads keys that are not null. */
  readonly key: Serde<NamedKey>
  /** Properties of its keys in order; empty: keys are not read (they count as null). */
  readonly keyColumns: readonly Column[]
  readonly value: Serde<unknown>
  /** Event time of a value that is read or written; undefined: the record's timestamp is it. */
  readonly timeOf: ((value: unknown) => number) | undefined
  /** Key of a value that is written; undefined: the stream's key stays. */
  readonly keyOf: ((value: unknown) => NamedKey | null) | undefined
  readonly partitionBy:
    | ((key: NamedKey | null, value: unknown, partitionCount: number) => number)
    | undefined
  /** Each part of the key is the value's property of its name. */
  readonly keyByName?: boolean
  /** Only for the compiler: keys and values as they are read. Never set. */
  readonly gives?: () => readonly [K, V]
}

/** A topic that rows of this shape may be written to. */
export type TopicFor<K, V, Accepted> = Topic<K, V> & {
  /** Only for the compiler. Never set. */
  readonly accepts?: (row: Accepted) => void
}

/** How a topic is written and read, and how it is made where it is missing. */
export interface TopicOptions<V, Key> {
  /** How values are written, such as `json<Flight>()`; put it first, so that the others know its type. */
  readonly value: Serde<V>
  /**
   * What the key is made of: `'origin'`, `['origin', 'day']`, `{ hour: f => … }`; or a serde, for the
   * key that the stream has. Without it the stream's key is written, and none is read.
   */
  readonly key?: Key
  /** Event time: a property (Date, milliseconds or ISO text) or a function giving milliseconds or a Date. */
  readonly time?: TimeSpec<V>
  /** Taken when the topic is created; default 1. */
  readonly partitions?: number
  /**
   * The partition, from 0 to below `partitionCount`; default: Kafka's murmur2 of the key. Where state
   * follows, equal keys must get equal partitions.
   */
  readonly partitionBy?: (key: never, value: V, partitionCount: number) => number
  /** Taken when the topic is created. */
  readonly config?: Partial<TopicConfig>
}

/** How a key that is written by a serde is seen: objects as they are, anything else as the property `key`. */
export type SerdeKey<K> = K extends Uint8Array
  ? { readonly key: K }
  : K extends object
    ? K
    : { readonly key: K }

/** Where a value says when it happened. */
export type TimeSpec<V> = (keyof V & string) | ((value: V) => number | Date)

const CHECKS: Checks<TopicOptions<never, unknown>> = {
  value: required(anySerde),
  key: anything,
  time: either(text, callback),
  partitions: count(),
  partitionBy: callback,
  config: group(topicConfigChecks),
}

// The last overload is the one that compilers explain: that of names, which may be misspelt.
/** Describes a topic that takes any key, and whose keys are not read. */
export function topic<V>(name: string, options: TopicOptions<V, undefined>): TopicFor<null, V, V>
/** Describes a topic whose keys are written by a serde; a key that is no object counts as its property `key`. */
export function topic<V, K>(
  name: string,
  options: TopicOptions<V, Serde<K>> & { readonly key: Serde<K> },
): TopicFor<SerdeKey<K>, V, V>
/**
 * Describes a topic whose keys are made of its values.
 *
 * @throws UsageError PIPELINE_INVALID when the description can't work (bad name, no partitions).
 */
export function topic<V, const S extends KeySpec<V>>(
  name: string,
  options: TopicOptions<V, S> & { readonly key: S },
): TopicFor<KeyOf<V, S>, V, V>
export function topic<V>(name: string, options: TopicOptions<V, unknown>): Topic<unknown, V> {
  checkTopicName(name)
  checkDescription(`Topic ${name}`, options, CHECKS)
  const { value, key, time, partitions, partitionBy, config = {} } = options
  return {
    kind: 'topic',
    name,
    internal: false,
    partitions,
    config,
    ...keysOf(name, key as KeySpec<never> | Serde<unknown> | undefined, value.columns),
    value: value as unknown as Serde<unknown>,
    timeOf: time === undefined ? undefined : timeReader(`Topic ${name}`, time as TimeSpec<never>),
    partitionBy: partitionBy as Topic['partitionBy'],
  }
}

function keysOf(
  name: string,
  key: KeySpec<never> | Serde<unknown> | undefined,
  known: readonly Column[] | undefined,
): Pick<Topic, 'key' | 'keyColumns' | 'keyOf' | 'keyByName'> {
  if (key === undefined) return { key: namedKeySerde([]), keyColumns: [], keyOf: undefined }
  if (isSerde(key)) {
    return { key: wrappedKeySerde(key), keyColumns: keyColumnsOf(key), keyOf: undefined }
  }
  const rule = keyRule(`Topic ${name}`, key, known)
  const { columns, keyOf, byName } = rule
  return { key: namedKeySerde(columns), keyColumns: columns, keyOf, keyByName: byName }
}

function isSerde(key: unknown): key is Serde<unknown> {
  return typeof key === 'object' && key !== null && 'serialize' in key && 'decode' in key
}

/** Reads event time out of values. The function throws RejectedError EVENT_TIME_INVALID where there is none since 1970. */
export function timeReader(where: string, time: TimeSpec<never>): (value: unknown) => number {
  const read = typeof time === 'function' ? (time as (value: unknown) => unknown) : property(time)
  const what = typeof time === 'function' ? 'time function' : `property "${String(time)}"`
  return (value) => {
    const at = read(value)
    const ms = typeof at === 'number' ? at : toMs(at)
    if (ms >= 0 && Number.isFinite(ms)) return Math.floor(ms)
    throw new RejectedError(
      'EVENT_TIME_INVALID',
      `${where}: its ${what} gave ${String(at)}, which is no time since 1970.`,
    )
  }
}

function property(name: string): (value: unknown) => unknown {
  return (value) => (value as NamedKey | null)?.[name]
}

function toMs(at: unknown): number {
  if (at instanceof Date) return at.getTime()
  if (typeof at === 'bigint') return Number(at)
  return typeof at === 'string' ? parseTime(at) : Number.NaN
}

const ZONE = /(?:Z|UTC|GMT|[+-]\d\d:?\d\d)(?: \(.*\))?$/i
const ISO_DATE = /^\d{4}(?:-\d\d){0,2}$/
const ISO_WITHOUT_ZONE = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)$/

/** A time that names no zone is UTC, never what the machine is set to: windows are the same everywhere. */
function parseTime(text: string): number {
  const [, date, time] = ISO_WITHOUT_ZONE.exec(text) ?? []
  if (date !== undefined) return Date.parse(`${date}T${time}Z`)
  return ZONE.test(text) || ISO_DATE.test(text) ? Date.parse(text) : Number.NaN
}

/** @throws UsageError unless Kafka would take it as a topic's name. */
function checkTopicName(name: string): void {
  if (/^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..') return
  throw new UsageError(
    'PIPELINE_INVALID',
    `"${name}" can't name a topic: use 1 to 249 letters, digits, dots, dashes and underscores.`,
  )
}
