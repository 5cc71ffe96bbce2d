import type { Header, TopicPartition } from '@millrace/core'
import type { Windowed } from '../windows/windowed-key.ts'

/** A key whose parts have names; sinks find columns of these names. Property order is part of its identity. */
export type NamedKey = Readonly<Record<string, unknown>>

/** A record inside a task. Operators never change one; they pass it on or make another from it. */
export interface StreamRecord<K = unknown, V = unknown> {
  /** Null where the record has no key. */
  readonly key: K
  readonly value: V
  /** Event time, milliseconds since 1970. */
  readonly timestampMs: number
  readonly headers: readonly Header[] | undefined
  /** The partition it was read from; of an aggregate, that of the last record that changed it. */
  readonly origin: TopicPartition
  /** Offset there; for rows of a source, the row's number. */
  readonly offset: number
}

/** What `record` becomes with another value; key, time, headers and origin stay. */
export function withValue<K, R>(record: StreamRecord<K, unknown>, value: R): StreamRecord<K, R> {
  return {
    key: record.key,
    value,
    timestampMs: record.timestampMs,
    headers: record.headers,
    origin: record.origin,
    offset: record.offset,
  }
}

/** What `record` becomes with another key, value and time; headers and origin stay. */
export function derive<K, V>(
  record: StreamRecord,
  key: K,
  value: V,
  timestampMs: number,
): StreamRecord<K, V> {
  return {
    key,
    value,
    timestampMs,
    headers: record.headers,
    origin: record.origin,
    offset: record.offset,
  }
}

/**
 * What sinks and topics see of a record: columns of its key and its value. Rows of unknown shape fit
 * everywhere; records in an open window fit nowhere.
 */
export type Row<K, V> =
  K extends Windowed<unknown>
    ? Windowed<unknown>
    : string extends keyof V
      ? never
      : unknown extends V
        ? never
        : K extends object
          ? K & V
          : V
