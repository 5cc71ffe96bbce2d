import { RejectedError } from '@millrace/core'
import type { BatchWriter } from '../postgres/batch-writer.ts'
import type { Refusal, Refusals } from '../postgres/refused-rows.ts'
import type { Session } from '../postgres/session.ts'
import type { Target } from '../postgres/target.ts'
import type { Chunk, ChunkRows, RecordPlace } from './chunk.ts'

/** A record that the table refuses. */
export interface Reject extends RecordPlace {
  readonly record: Buffer
  readonly code: string
  readonly cause: string
  readonly column: string | undefined
}

/** What became of a chunk. */
export interface Stored {
  readonly rows: number
  readonly rejects: readonly Reject[]
}

/**
 * Writes chunks inside transactions: first the fast way, then, once something was refused, record by
 * record. Made for one chunk.
 */
export class ChunkStore {
  #chunk: Chunk | undefined
  readonly #target: Target
  readonly #mayReject: boolean
  #rows: ChunkRows | undefined
  #refusals: Refusals = new Map()

  constructor(target: Target, mayReject: boolean) {
    this.#target = target
    this.#mayReject = mayReject
  }

  /**
   * @param round 0, and one more each time after the transaction was rolled back.
   * @param chunk Each time the same records, which may have been read again.
   * @returns undefined when the transaction must be rolled back, and the next round tried.
   * @throws RejectedError a record is refused, and may not be.
   */
  async write(session: Session, round: number, chunk: Chunk): Promise<Stored | undefined> {
    // The same records, read again: their memory may be another.
    if (chunk !== this.#chunk) this.giveBack()
    this.#chunk = chunk
    const { appended } = this.#target
    if (round === 0 && appended !== undefined && chunk.copy !== undefined) {
      const rows = await chunk.copy(session, appended)
      return rows === undefined ? undefined : { rows, rejects: [] }
    }
    return this.#writeRows(session, round, chunk)
  }

  /** Lets go of the records; which of them are refused stays known. */
  giveBack(): void {
    this.#chunk?.giveBack()
    this.#chunk = undefined
    this.#rows = undefined
  }

  async #writeRows(session: Session, round: number, chunk: Chunk): Promise<Stored | undefined> {
    this.#rows ??= await chunk.rows()
    const { values, malformed } = this.#rows
    // What a lost connection took back is found again; only rounds build on each other.
    if (round === 0 || this.#refusals.size === 0) this.#refusals = new Map(malformed)
    const refusals = this.#refusals
    const keys = values.map(() => null)
    const batch = { size: values.length, keys, values, position: null }
    const isFirstEnough = !this.#mayReject
    if (isFirstEnough && refusals.size > 0) throw await this.#rejected(this.#rows)
    const writer = await this.#writer(session, batch)
    const attempt = { session, batch, refusals, isFirstEnough, round }
    const isComplete = await (round === 0 ? writer.write(attempt) : writer.writeApart(attempt))
    if (isFirstEnough && refusals.size > 0 && round > 0) throw await this.#rejected(this.#rows)
    if (!isComplete || (isFirstEnough && refusals.size > 0)) return undefined
    return { rows: values.length - refusals.size, rejects: await this.#rejects(this.#rows) }
  }

  #writer(session: Session, batch: Parameters<Target['writerFor']>[1]): Promise<BatchWriter> {
    const names = this.#rows?.textColumns
    return names === undefined
      ? this.#target.writerFor(session, batch)
      : this.#target.textWriter(session, names)
  }

  async #rejects(rows: ChunkRows): Promise<Reject[]> {
    const refused = [...this.#refusals].toSorted(([a], [b]) => a - b)
    const rejects: Reject[] = []
    for (const [index, refusal] of refused) rejects.push(await rejectOf(rows, index, refusal))
    return rejects
  }

  async #rejected(rows: ChunkRows): Promise<RejectedError> {
    const [index, refusal] = [...this.#refusals].toSorted(([a], [b]) => a - b)[0] as [
      number,
      Refusal,
    ]
    const { file, line, byte, row, code, cause, column } = await rejectOf(rows, index, refusal)
    const place = line === undefined ? `row ${row}` : `line ${line} (byte ${byte})`
    const isNamed = column === undefined || cause.includes(`"${column}"`)
    return new RejectedError(
      'ROW_REFUSED',
      `${file}, ${place}${isNamed ? '' : `, column "${column}"`}: ${cause}`,
      { facts: { file, line, byte, row, column, cause, code } },
    )
  }
}

async function rejectOf(rows: ChunkRows, index: number, refusal: Refusal): Promise<Reject> {
  const { code, cause, column } = refusal
  return { ...(await rows.place(index)), record: rows.original(index), code, cause, column }
}
