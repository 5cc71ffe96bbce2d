/**
 * State of one operator in one task: values by key, each in a slot of time (the start of its window in
 * milliseconds; 0 in a store without windows). Values are what JSON can hold, dates, bigints and bytes.
 */
export interface Store<S = unknown> {
  readonly name: string
  /** The greatest timestamp the operator has seen in this task, any key; −1 at first. Made durable with the entries. */
  streamTimeMs: number
  find(slotMs: number, key: string): StoreEntry<S> | undefined
  /** Adds an entry; there must be none of this key in this slot. */
  add(slotMs: number, key: string, state: S): StoreEntry<S>
  /** Says that an entry's state was changed, in place or by assignment. */
  changed(entry: StoreEntry<S>): void
  /** Drops all entries of a slot. */
  deleteSlot(slotMs: number): void
  /** +Infinity when there is none. */
  readonly earliestSlotMs: number
  /** Slots that hold anything, earliest first. */
  slots(): readonly number[]
  /** Entries of a slot in the order their keys came in. */
  entries(slotMs: number): Iterable<StoreEntry<S>>
  /** Entries in all slots. */
  readonly size: number
}

/** A key's state in a slot. */
export interface StoreEntry<S = unknown> {
  readonly slotMs: number
  readonly key: string
  state: S
  /** For the operator's own use inside an epoch; not durable. Undefined at first. */
  mark: unknown
}

/** What the runtime needs of a store to make it durable. */
export interface DurableStore<S = unknown> extends Store<S> {
  /**
   * What changed since the last call, each key once with its last state, as changelog records; a null
   * value is a tombstone. The stream time is among them.
   */
  takeChanges(): ChangelogRecord[]
  /**
   * Up to `limit` records that the changelog has already, to be written again behind those of
   * {@link DurableStore.takeChanges}: call after call goes round through all entries. Fewer than `limit`:
   * the round is over, and the next call begins another.
   */
  takeRepeats(limit: number): ChangelogRecord[]
  /** Takes back one changelog record; call in log order, the last one of a key wins. */
  restore(record: ChangelogRecord): void
}

/** A record of a changelog topic, as text that is written as UTF-8. */
export interface ChangelogRecord {
  readonly key: string
  readonly value: string | null
}

/** A store that a plan asks for. */
export interface StoreSpec {
  /** Unique in the pipeline; stays the same when other operators are added. */
  readonly name: string
  /** The compacted internal topic that restores it; partition n belongs to task n. */
  readonly changelogTopic: string
  /** Changes with what makes old state unreadable (windows, aggregates). */
  readonly shape: string
}
