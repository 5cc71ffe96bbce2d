import { Observable, type OperatorFunction, type Subscriber } from 'rxjs'
import type { GroupedAggregate } from '../aggregates/grouped.ts'
import type { Store, StoreEntry } from '../state/store.ts'
import { firstWindowStart, isClosed, type TimeWindows } from '../windows/windows.ts'
import { keyOfText, keyText } from './key-text.ts'
import type { StepScope } from './operator.ts'
import type { NamedKey, StreamRecord } from './record.ts'
import { eachRecord } from './step.ts'

/** Cells of a group: the greatest timestamp of its records, then its aggregates'. */
type Cells = [timestampMs: number, ...aggregates: unknown[]]

/** What a record makes of one of the windows it falls into. */
interface Change {
  readonly slotMs: number
  readonly entry: StoreEntry<Cells> | undefined
  readonly cells: Cells
}

export interface GroupOptions {
  readonly aggregate: GroupedAggregate
  /** Undefined: one group per key, for ever. */
  readonly windows: TimeWindows | undefined
  /** `update`: each change leaves. `final`: what a window holds when it closes. */
  readonly emit: 'update' | 'final'
}

/** The RxJS operator that aggregates records by key and window. */
export function groupRecords(
  scope: StepScope,
  store: Store<Cells>,
  options: GroupOptions,
): OperatorFunction<StreamRecord, StreamRecord> {
  return (source) =>
    new Observable((out) => {
      const groups = new Groups(scope, store, options, out)
      scope.onDrain(() => groups.emitLatest())
      scope.onFlushWindows((close) => groups.flush(close))
      return eachRecord(scope, (record) => groups.add(record))(source).subscribe(out)
    })
}

class Groups {
  readonly #scope: StepScope
  readonly #store: Store<Cells>
  readonly #aggregate: GroupedAggregate
  readonly #windows: TimeWindows | undefined
  readonly #isFinal: boolean
  readonly #out: Subscriber<StreamRecord>
  /** Groups changed in this epoch, each marked with its last record, where only the last change is wanted. */
  #changed: StoreEntry<Cells>[] | undefined
  #last: StreamRecord | undefined
  /** Room for a group's cells as they were before a record. */
  readonly #before: unknown[] = []

  constructor(
    scope: StepScope,
    store: Store<Cells>,
    { aggregate, windows, emit }: GroupOptions,
    out: Subscriber<StreamRecord>,
  ) {
    this.#scope = scope
    this.#store = store
    this.#aggregate = aggregate
    this.#windows = windows
    this.#isFinal = emit === 'final'
    this.#out = out
    this.#changed = scope.lastPerKey && emit === 'update' ? [] : undefined
  }

  add(record: StreamRecord): void {
    const store = this.#store
    if (record.key === null) {
      this.#scope.task.dropped(this.#scope.node, 'null-key', record)
      return
    }
    this.#last = record
    const advances = record.timestampMs > store.streamTimeMs
    if (advances) store.streamTimeMs = record.timestampMs
    const key = keyText(record.key as NamedKey)
    if (this.#windows === undefined) this.#addTo(0, key, record)
    else {
      this.#addToWindows(this.#windows, key, record)
      if (advances) this.#closeWindows(this.#windows, record)
    }
  }

  #addToWindows(windows: TimeWindows, key: string, record: StreamRecord): void {
    const { timestampMs } = record
    const isAlone = windows.advanceMs === windows.sizeMs
    const changes: Change[] = []
    let closed = 0
    for (
      let startMs = firstWindowStart(windows, timestampMs);
      startMs <= timestampMs;
      startMs += windows.advanceMs
    ) {
      if (isClosed(windows, startMs, this.#store.streamTimeMs)) closed++
      else if (isAlone) this.#addTo(startMs, key, record)
      else changes.push(this.#changeOf(startMs, key, record))
    }
    for (const change of changes) this.#make(change, key, record)
    if (closed === 0) return
    for (; closed > 0; closed--) this.#scope.task.dropped(this.#scope.node, 'late', record)
    this.#scope.aside?.(record)
  }

  /** What a record would make of a window: a callback that throws for a later one must find this one as it was. */
  #changeOf(slotMs: number, key: string, record: StreamRecord): Change {
    const entry = this.#store.find(slotMs, key)
    const cells: Cells = entry === undefined ? [record.timestampMs] : [...entry.state]
    if (entry === undefined) this.#aggregate.start(cells)
    this.#aggregate.add(cells, record.value)
    cells[0] = Math.max(cells[0], record.timestampMs)
    return { slotMs, entry, cells }
  }

  #make({ slotMs, entry, cells }: Change, key: string, record: StreamRecord): void {
    if (entry === undefined) this.#tell(this.#store.add(slotMs, key, cells), record)
    else {
      entry.state = cells
      this.#store.changed(entry)
      this.#tell(entry, record)
    }
  }

  #addTo(slotMs: number, key: string, record: StreamRecord): void {
    let entry = this.#store.find(slotMs, key)
    if (entry === undefined) {
      const cells: Cells = [record.timestampMs]
      this.#aggregate.start(cells)
      this.#aggregate.add(cells, record.value)
      entry = this.#store.add(slotMs, key, cells)
    } else this.#change(entry, record)
    this.#tell(entry, record)
  }

  /** Sends a changed group on, now or at the epoch's end. */
  #tell(entry: StoreEntry<Cells>, record: StreamRecord): void {
    if (this.#isFinal) return
    if (this.#changed === undefined) this.#emit(entry, record)
    else {
      if (entry.mark === undefined) this.#changed.push(entry)
      entry.mark = record
    }
  }

  #change(entry: StoreEntry<Cells>, record: StreamRecord): void {
    // A callback may throw between two aggregates; the record must then count in none.
    const cells = entry.state
    const before = this.#before
    for (let at = 0; at < cells.length; at++) before[at] = cells[at]
    try {
      this.#aggregate.add(cells, record.value)
    } catch (error) {
      for (let at = 0; at < cells.length; at++) cells[at] = before[at]
      throw error
    }
    if (record.timestampMs > cells[0]) cells[0] = record.timestampMs
    this.#store.changed(entry)
  }

  #closeWindows(windows: TimeWindows, record: StreamRecord | undefined): void {
    const store = this.#store
    while (isClosed(windows, store.earliestSlotMs, store.streamTimeMs)) {
      const slotMs = store.earliestSlotMs
      if (this.#isFinal) this.#emitSlot(slotMs, record)
      store.deleteSlot(slotMs)
    }
  }

  /** Emits the last change of each group changed since the last call. */
  emitLatest(): void {
    if (this.#changed === undefined) return
    for (const entry of this.#changed) {
      this.#emit(entry, entry.mark as StreamRecord)
      entry.mark = undefined
    }
    this.#changed = []
  }

  flush(close: boolean): void {
    const windows = this.#windows
    if (windows === undefined) return
    if (!close) {
      if (!this.#isFinal) return
      for (const slotMs of this.#store.slots()) this.#emitSlot(slotMs, this.#last)
      return
    }
    const lastSlotMs = this.#store.slots().at(-1)
    if (lastSlotMs === undefined) return
    // Stream time goes where the last window closes, so that none opens a second time.
    this.#store.streamTimeMs = Math.max(
      this.#store.streamTimeMs,
      lastSlotMs + windows.sizeMs + windows.graceMs,
    )
    this.#closeWindows(windows, this.#last)
  }

  #emitSlot(slotMs: number, record: StreamRecord | undefined): void {
    for (const entry of this.#store.entries(slotMs)) this.#emit(entry, record)
  }

  #emit(entry: StoreEntry<Cells>, record: StreamRecord | undefined): void {
    this.#out.next({
      key: this.#keyOf(entry),
      value: this.#aggregate.result(entry.state),
      timestampMs: entry.state[0],
      headers: undefined,
      origin: record?.origin ?? { topic: this.#store.name, partition: this.#scope.task.partition },
      offset: record?.offset ?? -1,
    })
  }

  #keyOf(entry: StoreEntry<Cells>): NamedKey {
    const key = keyOfText(entry.key)
    if (this.#windows === undefined) return key
    return {
      ...key,
      window_start: new Date(entry.slotMs),
      window_end: new Date(entry.slotMs + this.#windows.sizeMs),
    }
  }
}
