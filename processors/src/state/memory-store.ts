import { invariant } from '@millrace/core/internal'
import { parseRich, stringifyRich } from './rich-json.ts'
import type { ChangelogRecord, DurableStore, StoreEntry } from './store.ts'

const STREAM_TIME_KEY = 'stream-time'

interface Entry<S> extends StoreEntry<S> {
  /** It is among the changes to be taken. */
  isDirty: boolean
  /** The changelog knows its key. */
  isLogged: boolean
}

/** State in memory, made durable by a changelog. */
export class MemoryStore<S = unknown> implements DurableStore<S> {
  readonly name: string
  streamTimeMs = -1
  earliestSlotMs = Number.POSITIVE_INFINITY
  size = 0
  #slots = new Map<number, Map<string, Entry<S>>>()
  #dirty: Entry<S>[] = []
  #deleted: Entry<S>[] = []
  #loggedStreamTimeMs = -1
  #round: Iterator<Entry<S>> | undefined
  // Records mostly come in order of time, so the slot asked for is mostly that of last time.
  #lastSlotMs = Number.NaN
  #lastSlot: Map<string, Entry<S>> | undefined

  constructor(name: string) {
    this.name = name
  }

  find(slotMs: number, key: string): StoreEntry<S> | undefined {
    return this.#slot(slotMs)?.get(key)
  }

  add(slotMs: number, key: string, state: S): StoreEntry<S> {
    const entry: Entry<S> = {
      slotMs,
      key,
      state,
      mark: undefined,
      isDirty: true,
      isLogged: false,
    }
    this.#insert(entry)
    this.#dirty.push(entry)
    return entry
  }

  changed(entry: StoreEntry<S>): void {
    const own = entry as Entry<S>
    if (own.isDirty) return
    own.isDirty = true
    this.#dirty.push(own)
  }

  deleteSlot(slotMs: number): void {
    const slot = this.#slots.get(slotMs)
    if (slot === undefined) return
    for (const entry of slot.values()) if (entry.isLogged) this.#deleted.push(entry)
    this.#removeSlot(slotMs, slot)
  }

  slots(): readonly number[] {
    return [...this.#slots.keys()].sort((a, b) => a - b)
  }

  entries(slotMs: number): Iterable<StoreEntry<S>> {
    return this.#slots.get(slotMs)?.values() ?? []
  }

  takeChanges(): ChangelogRecord[] {
    const changes: ChangelogRecord[] = []
    for (const entry of this.#deleted) {
      if (this.find(entry.slotMs, entry.key) === undefined) {
        changes.push({ key: logKey(entry), value: null })
      }
    }
    for (const entry of this.#dirty) {
      entry.isDirty = false
      // A slot that is gone takes its entries with it, also those changed before it went.
      if (this.find(entry.slotMs, entry.key) !== entry) continue
      entry.isLogged = true
      changes.push({ key: logKey(entry), value: stringifyRich(entry.state) })
    }
    this.#deleted = []
    this.#dirty = []
    if (this.streamTimeMs !== this.#loggedStreamTimeMs) {
      this.#loggedStreamTimeMs = this.streamTimeMs
      changes.push({ key: STREAM_TIME_KEY, value: String(this.streamTimeMs) })
    }
    return changes
  }

  takeRepeats(limit: number): ChangelogRecord[] {
    const repeats: ChangelogRecord[] = []
    if (this.#round === undefined) {
      this.#round = this.#all()
      repeats.push({ key: STREAM_TIME_KEY, value: String(this.#loggedStreamTimeMs) })
    }
    while (repeats.length < limit) {
      const next = this.#round.next()
      if (next.done === true) {
        this.#round = undefined
        break
      }
      const entry = next.value
      // A slot may have gone while the round was in it.
      if (this.find(entry.slotMs, entry.key) !== entry) continue
      repeats.push({ key: logKey(entry), value: stringifyRich(entry.state) })
    }
    return repeats
  }

  restore(record: ChangelogRecord): void {
    if (record.key === STREAM_TIME_KEY) {
      this.streamTimeMs = Number(record.value ?? -1)
      this.#loggedStreamTimeMs = this.streamTimeMs
      return
    }
    const divider = record.key.indexOf(' ')
    invariant(divider > 0, `changelog of ${this.name}: no slot in key ${record.key}`)
    const slotMs = Number(record.key.slice(0, divider))
    const key = record.key.slice(divider + 1)
    const slot = this.#slots.get(slotMs)
    if (slot?.delete(key)) this.size--
    if (record.value !== null) {
      const state = parseRich(record.value) as S
      this.#insert({ slotMs, key, state, mark: undefined, isDirty: false, isLogged: true })
    } else if (slot?.size === 0) {
      this.#removeSlot(slotMs, slot)
    }
  }

  /** Entries that come meanwhile are among them. */
  *#all(): Generator<Entry<S>> {
    for (const slot of this.#slots.values()) yield* slot.values()
  }

  #slot(slotMs: number): Map<string, Entry<S>> | undefined {
    if (slotMs !== this.#lastSlotMs) {
      this.#lastSlotMs = slotMs
      this.#lastSlot = this.#slots.get(slotMs)
    }
    return this.#lastSlot
  }

  #insert(entry: Entry<S>): void {
    let slot = this.#slot(entry.slotMs)
    if (slot === undefined) {
      slot = new Map()
      this.#slots.set(entry.slotMs, slot)
      this.#lastSlot = slot
      this.earliestSlotMs = Math.min(this.earliestSlotMs, entry.slotMs)
    }
    slot.set(entry.key, entry)
    this.size++
  }

  #removeSlot(slotMs: number, slot: ReadonlyMap<string, unknown>): void {
    this.size -= slot.size
    this.#slots.delete(slotMs)
    this.#lastSlotMs = Number.NaN
    if (slotMs === this.earliestSlotMs) {
      this.earliestSlotMs = Number.POSITIVE_INFINITY
      for (const startMs of this.#slots.keys()) {
        if (startMs < this.earliestSlotMs) this.earliestSlotMs = startMs
      }
    }
  }
}

function logKey(entry: StoreEntry): string {
  return `${entry.slotMs} ${entry.key}`
}
