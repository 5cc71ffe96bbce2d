import type { Encoded } from '../batch/batch-writer.ts'
import { callback, checkArgument, required, text } from '../options/index.ts'
import type { Column } from './column.ts'

/** Turns keys or values into bytes and back; null (no key, a tombstone) never reaches it. */
export interface Serde<T> {
  /** Names the format in topologies and messages. */
  readonly name: string
  /** What sinks can take a value apart into; absent when values are no rows. */
  readonly columns?: readonly Column[]
  /** @throws RejectedError RECORD_INVALID, naming the place in the value that does not fit. */
  serialize(value: T): Uint8Array | null
  /** @throws RejectedError RECORD_INVALID when the bytes are no such value. */
  deserialize(bytes: Uint8Array): T
  /** As `serialize`, but text stays text until it is written straight into a batch. */
  encode(value: T): Encoded
  /** As `deserialize`, of the bytes from `start` up to `end`, without a view of them. */
  decode(bytes: Buffer, start: number, end: number): T
}

/** What a serde must say; {@link defineSerde} adds the rest. */
export interface SerdeDefinition<T> {
  readonly name: string
  readonly columns?: readonly Column[]
  /** What `decode` gives holds no view of the bytes it read, so that their memory may be used again. */
  readonly copies?: boolean
  encode(value: T): Encoded
  readonly decode: (bytes: Buffer, start: number, end: number) => T
}

// By function, since a serde spread into another with a `decode` of its own promises nothing.
const copying = new WeakSet<object>()

/** Whether what the serde decodes holds no view of the bytes that it read. */
export function copiesBytes(serde: Pick<Serde<unknown>, 'decode'>): boolean {
  return copying.has(serde.decode)
}

/** Makes a serde of your own from its name, `encode` and `decode`. */
export function defineSerde<T>({ copies, ...definition }: SerdeDefinition<T>): Serde<T> {
  // Not its options as a whole: another serde, spread, may be among them.
  checkArgument('defineSerde', 'name', definition.name, required(text))
  for (const part of ['encode', 'decode'] as const) {
    checkArgument('defineSerde', part, definition[part], required(callback))
  }
  if (copies === true) copying.add(definition.decode)
  return {
    ...definition,
    serialize(value) {
      const encoded = definition.encode(value)
      return typeof encoded === 'string' ? Buffer.from(encoded) : encoded
    },
    deserialize(bytes) {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      return definition.decode(buffer, 0, buffer.length)
    },
  }
}
