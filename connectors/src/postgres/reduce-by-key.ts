import type { SinkBatch } from '@millrace/processors'
import { CopyBuffer } from './copy-buffer.ts'
import { refuse } from './copy-rows.ts'
import type { Rows } from './copy-rows.ts'
import type { Refusals } from './refused-rows.ts'
import { readerFor, rowEncoder } from './row-encoder.ts'
import type { Row, RowEncoder, WrittenColumn } from './row-encoder.ts'
import { UnfitValue } from './codecs/column-codec.ts'

/** Joins a later record of a key with what came before; undefined: the later one replaces it. */
export type RowMerge = (older: Row, newer: Row) => Row

/** What remains of some records: rows, and which records of the batch each stands for (the last is its own). */
export interface ReducedRows extends Rows {
  readonly origins: readonly (readonly number[])[]
}

/** A batch with one row per key. Deletes come first, then upserts; a key may be in both. */
export interface ReducedBatch {
  readonly upserts: ReducedRows
  readonly deletes: ReducedRows
}

/** Which of the ways to write a key stands for the others; those that have no other are not in it. */
export type KeyAliases = ReadonlyMap<string, string>

interface Entry {
  key: Row | null
  value: Row | null
  origins: number[]
  /** The last record that deleted this key; undefined when none did. */
  deletedBy: number | undefined
}

const noAliases: KeyAliases = new Map()

/** Reduces batches to one row per key; the key's columns are compared as the server will see them. */
export class KeyReducer {
  readonly #key: RowEncoder
  readonly #row: RowEncoder
  readonly #keyNames: readonly string[]
  readonly #read: ReturnType<typeof readerFor>
  readonly #merge: RowMerge | undefined
  readonly #scratch = new CopyBuffer(1024)

  constructor(
    columns: readonly WrittenColumn[],
    key: readonly string[],
    merge: RowMerge | undefined,
  ) {
    const keyColumns = columns.filter((column) => key.includes(column.name))
    this.#key = rowEncoder(keyColumns)
    this.#row = rowEncoder(columns)
    this.#keyNames = keyColumns.map((column) => column.name)
    this.#read = readerFor(this.#keyNames)
    this.#merge = merge
  }

  /**
   * Records in `refusals` are left out; those without a usable key are added to them, and with
   * `isChecked` also those that can't be encoded, before they replace an earlier one.
   */
  reduce(
    batch: SinkBatch,
    refusals: Refusals,
    isChecked: boolean,
    aliases: KeyAliases = noAliases,
  ): ReducedBatch {
    const entries = new Map<string, Entry>()
    for (let index = 0; index < batch.size; index += 1) {
      if (refusals.size > 0 && refusals.has(index)) continue
      let encoder = this.#row
      try {
        if (isChecked) this.#check(batch, index)
        encoder = this.#key
        this.#take(entries, batch, index, aliases)
      } catch (error) {
        refuseRecord(error, index, encoder, refusals)
      }
    }
    return { upserts: upsertsOf(entries), deletes: deletesOf(entries) }
  }

  /** Each key once, with what tells it apart; records without a usable key are passed over. */
  keys(batch: SinkBatch, refusals: Refusals): { rows: Rows; identities: readonly string[] } {
    const first = new Map<string, number>()
    for (let index = 0; index < batch.size; index += 1) {
      if (refusals.has(index)) continue
      try {
        const identity = this.#identityOf(batch.keys[index] ?? null, batch.values[index] ?? null)
        if (!first.has(identity)) first.set(identity, index)
      } catch (error) {
        if (!(error instanceof MissingKeyError || error instanceof UnfitValue)) throw error
      }
    }
    const indexes = [...first.values()]
    const keys = indexes.map((index) => batch.keys[index] ?? null)
    const values = indexes.map((index) => batch.values[index] ?? null)
    return { rows: { size: indexes.length, keys, values }, identities: [...first.keys()] }
  }

  #take(entries: Map<string, Entry>, batch: SinkBatch, index: number, aliases: KeyAliases): void {
    const key = batch.keys[index] ?? null
    const value = batch.values[index] ?? null
    const own = this.#identityOf(key, value)
    const identity = aliases.get(own) ?? own
    const known = entries.get(identity)
    if (known === undefined) {
      const deletedBy = value === null ? index : undefined
      entries.set(identity, { key, value, origins: [index], deletedBy })
      return
    }
    const { value: older } = known
    known.value =
      this.#merge !== undefined && older !== null && value !== null
        ? this.#merge(older, value)
        : value
    known.key = key
    if (value === null) known.deletedBy = index
    known.origins.push(index)
  }

  #identityOf(key: Row | null, value: Row | null): string {
    for (const name of this.#keyNames) {
      if ((this.#read(key, value, name) ?? null) === null) throw new MissingKeyError(name)
    }
    const scratch = this.#scratch
    scratch.position = 0
    this.#key.row(scratch, key, value, 0)
    return scratch.bytes.toString('latin1', 0, scratch.position)
  }

  #check(batch: SinkBatch, index: number): void {
    const value = batch.values[index] ?? null
    if (value === null) return
    this.#scratch.position = 0
    this.#row.row(this.#scratch, batch.keys[index] ?? null, value, 0)
  }
}

function refuseRecord(
  error: unknown,
  index: number,
  encoder: RowEncoder,
  refusals: Refusals,
): void {
  if (error instanceof MissingKeyError) {
    const cause = `the record has no value for the key column "${error.column}"`
    refusals.set(index, { code: 'KEY_MISSING', cause, column: error.column })
  } else if (error instanceof MergeError) {
    const cause = `column "${error.column}" can't be merged: ${error.unfit.message}`
    refusals.set(index, { code: error.unfit.code, cause, column: error.column })
  } else {
    refuse(error, index, encoder, refusals)
  }
}

/** Two values of a column that its merge rule can't join. */
export class MergeError extends Error {
  readonly column: string
  readonly unfit: UnfitValue

  constructor(column: string, unfit: UnfitValue) {
    super(unfit.message)
    this.column = column
    this.unfit = unfit
  }
}

class MissingKeyError extends Error {
  readonly column: string

  constructor(column: string) {
    super(`no value for ${column}`)
    this.column = column
  }
}

function upsertsOf(entries: ReadonlyMap<string, Entry>): ReducedRows {
  const kept = [...entries.values()].filter((entry) => entry.value !== null)
  // In the order of their last records, so that what one row gives up another may take.
  kept.sort((a, b) => lastOf(a.origins) - lastOf(b.origins))
  return {
    size: kept.length,
    keys: kept.map((entry) => entry.key),
    values: kept.map((entry) => entry.value),
    origins: kept.map((entry) => entry.origins),
  }
}

function deletesOf(entries: ReadonlyMap<string, Entry>): ReducedRows {
  const deleted = [...entries.values()].filter((entry) => entry.deletedBy !== undefined)
  return {
    size: deleted.length,
    keys: deleted.map((entry) => entry.key),
    values: deleted.map((entry) => entry.value),
    origins: deleted.map((entry) => [entry.deletedBy ?? 0]),
  }
}

function lastOf(origins: readonly number[]): number {
  return origins.at(-1) ?? 0
}
