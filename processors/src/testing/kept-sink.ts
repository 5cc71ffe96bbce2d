import { FencedError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import type { Json } from '../json.ts'
import type { Sink, SinkBatch } from '../sink.ts'

/** A row as a sink was given it: the record's key properties, then its value's. */
export type KeptRow = Readonly<Record<string, unknown>>

interface TaskState {
  claim: number
  position: Json | undefined
}

/**
 * Stands in for a sink in a test and does what its guarantee says: rows and position come in together,
 * and only from whoever claimed the task last. It outlives the pipeline's crashes, as a database does.
 */
export class KeptSink {
  readonly sink: Sink<never>
  readonly #key: readonly string[] | undefined
  readonly #tasks = new Map<string, TaskState>()
  readonly #rows = new Map<string, KeptRow>()
  #appended = 0

  constructor(stood: Sink<never>) {
    this.#key = stood.mode === 'upsert' ? stood.key : undefined
    this.sink = {
      kind: 'sink',
      name: stood.name,
      guarantee: stood.guarantee,
      mode: stood.mode,
      open: async () => ({ claim: async (task) => this.#claim(task), close: async () => {} }),
    }
  }

  /** All rows of an append sink in the order of their coming; of an upsert sink, the last of each key. */
  get rows(): readonly KeptRow[] {
    return [...this.#rows.values()]
  }

  #claim(name: string) {
    const task = this.#tasks.get(name) ?? { claim: 0, position: undefined }
    this.#tasks.set(name, task)
    const claim = ++task.claim
    return {
      position: task.position,
      write: async (batch: SinkBatch) => {
        if (task.claim !== claim) throw fenced(name)
        for (let index = 0; index < batch.size; index++) this.#take(batch, index)
        if (this.sink.guarantee === 'exactly-once') task.position = batch.position
      },
      release: async () => {},
    }
  }

  #take({ keys, values }: SinkBatch, index: number): void {
    const key = keys[index] ?? {}
    const value = values[index]
    const row = { ...value, ...key }
    const identity = this.#identityOf(row, key)
    // As a table would be read: a row that changed stands where it stood.
    if (value === null || value === undefined) this.#rows.delete(identity)
    else this.#rows.set(identity, row)
  }

  #identityOf(row: KeptRow, key: KeptRow): string {
    if (this.sink.mode === 'append') return String(this.#appended++)
    const parts = this.#key === undefined ? key : this.#key.map((column) => row[column])
    const identity = JSON.stringify(parts)
    invariant(identity !== undefined, 'a key is always something JSON can hold')
    return identity
  }
}

function fenced(task: string): FencedError {
  return new FencedError('GENERATION_FENCED', `Somebody claimed ${task} since.`)
}
