/**
 * State of one operator in one task: values by key, each in a slot of time (the start of its window in
 * milliseconds; 0 in a store without windows). Values must be what JSON can hold.
 */
export interface Store<S> {
  readonly name: string
  /** The greatest timestamp the operator has seen in this task, any key; −Infinity at first. Persisted. */
  streamTimeMs: number
  get(slotMs: number, key: string): S | undefined
  /** Keeps `state` itself, not a copy: change it and put it again. */
  put(slotMs: number, key: string, state: S): void
  delete(slotMs: number, key: string): void
  /** Slots that hold anything, earliest first. */
  slots(): readonly number[]
  /** Entries of a slot in the order their keys came in. */
  entries(slotMs: number): Iterable<readonly [key: string, state: S]>
  /** Entries in all slots. */
  readonly size: number
}

/** What the runtime needs of a store beside its operator's view, to make it durable. */
export interface DurableStore<S = unknown> extends Store<S> {
  /**
   * What changed since the last call, each key once with its last state, as changelog records; a null
   * value is a tombstone. The stream time is among them.
   */
  takeChanges(): ChangelogRecord[]
  /** Takes back one changelog record; in log order, the last one of a key wins. */
  restore(record: ChangelogRecord): void
}

/** A record of a changelog topic. */
export interface ChangelogRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/** A store that a plan asks for. */
export interface StoreSpec {
  /** Unique in the pipeline; stable while the operator's place in the structure is. */
  readonly name: string
  /** The compacted internal topic that restores it; partition n belongs to task n. */
  readonly changelogTopic: string
  /** Changes with what makes old state unreadable (window, aggregates). */
  readonly shape: string
}
