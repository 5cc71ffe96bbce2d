import type { CopyIn } from './copy-in.ts'
import { RowRefusedError, indexOfLine } from './refused-rows.ts'
import type { Refusals } from './refused-rows.ts'
import type { Row, RowEncoder } from './row-encoder.ts'
import { verdictOf } from './server-errors.ts'
import type { Session } from './session.ts'
import { UnfitValue } from './codecs/column-codec.ts'

/** A chunk is sent once it is this long: long enough that a message's cost vanishes. */
const chunkBytes = 128 * 1024

/** Rows as arrays side by side; entry i of each is one row. */
export interface Rows {
  readonly size: number
  readonly keys: readonly (Row | null)[]
  readonly values: readonly (Row | null)[]
}

export interface CopyTarget {
  /** `COPY … FROM STDIN WITH (…)`. */
  readonly sql: string
  readonly encoder: RowEncoder
}

/**
 * Copies rows `from` to `until` − 1, without those in `refusals`; rows that can't be encoded join them.
 *
 * @throws RowRefusedError the server refused a row and named it.
 * @throws DatabaseError it refused without naming one, or for another reason.
 */
export async function copyRows(
  session: Session,
  target: CopyTarget,
  rows: Rows,
  from: number,
  until: number,
  refusals: Refusals,
): Promise<void> {
  try {
    await session.copyIn(target.sql, (copy) =>
      sendRows(session, copy, target.encoder, rows, from, until, refusals),
    )
  } catch (error) {
    if (verdictOf(error) !== 'data') throw error
    const index = indexOfLine(error, from, refusals)
    throw index === undefined ? error : new RowRefusedError(index, error)
  }
}

async function sendRows(
  session: Session,
  copy: CopyIn,
  encoder: RowEncoder,
  rows: Rows,
  from: number,
  until: number,
  refusals: Refusals,
): Promise<void> {
  const { keys, values } = rows
  const out = session.buffer
  out.position = 0
  encoder.begin(out)
  for (let index = from; index < until; index += 1) {
    if (refusals.size > 0 && refusals.has(index)) continue
    try {
      encoder.row(out, keys[index] ?? null, values[index] ?? null, index)
    } catch (error) {
      refuse(error, index, encoder, refusals)
    }
    if (out.position >= chunkBytes) await copy.send(out.take())
  }
  encoder.end(out)
  await copy.send(out.take())
}

/** Records a row that can't be encoded. */
export function refuse(
  error: unknown,
  index: number,
  encoder: RowEncoder,
  refusals: Refusals,
): void {
  if (!(error instanceof UnfitValue)) throw error
  const { name, type } = encoder.column ?? { name: '?', type: '?' }
  const cause = `column "${name}" (${type}) can't hold the value: ${error.message}`
  refusals.set(index, { code: error.code, cause, column: name })
}
