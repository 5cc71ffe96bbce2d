import type { Column, Serde, TopicConfig } from '@millrace/core'
import type { NamedKey } from './operators/record.ts'

/**
 * A topic as pipelines see it: how its keys and values are written and where event time is. Making
 * one has no effect; the runtime creates it in the log if it isn't there.
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
  readonly value: Serde<V>
  /** Event time in a value; undefined: the record's timestamp is it. Applied when reading and writing. */
  readonly timeOf: ((value: V) => number) | undefined
  /** Key of a value that is written here; undefined: the stream's key stays. */
  readonly keyOf: ((value: V, streamKey: NamedKey | null) => NamedKey | null) | undefined
  readonly partitionBy:
    | ((key: NamedKey | null, value: V, partitionCount: number) => number)
    | undefined
  /** Only for the compiler: the key's type. Never set. */
  readonly keyType?: K
}
