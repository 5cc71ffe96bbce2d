import { lineOf, codeOf, columnOf, constraintOf, verdictOf, wordsOf } from './server-errors.ts'
import type { Session } from './session.ts'

/** Why a row will never pass. */
export interface Refusal {
  readonly code: string
  readonly cause: string
  readonly column: string | undefined
  readonly constraint?: string | undefined
}

/** Refused rows by their index. */
export type Refusals = Map<number, Refusal>

/** The server refused one row and named it; nothing of its statement remains. */
export class RowRefusedError extends Error {
  readonly index: number
  readonly refusal: Refusal

  constructor(index: number, cause: unknown) {
    super(`row ${index}: ${wordsOf(cause)}`, { cause })
    this.name = 'RowRefusedError'
    this.index = index
    this.refusal = refusalOf(cause)
  }
}

export function refusalOf(error: unknown): Refusal {
  return {
    code: codeOf(error),
    cause: wordsOf(error),
    column: columnOf(error),
    constraint: constraintOf(error),
  }
}

/** The index of the row that the server calls line `n` of a COPY that began at `from` without the refused rows. */
export function indexOfLine(error: unknown, from: number, refusals: Refusals): number | undefined {
  const line = lineOf(error)
  if (line === undefined) return undefined
  let index = from
  for (let left = line; ; index += 1) {
    if (!refusals.has(index)) left -= 1
    if (left === 0) return index
  }
}

/** Work to be done piece by piece, so that what can't pass is found. */
export interface Pieces {
  /** Indexes 0 to `size` − 1. */
  readonly size: number
  /** Filled in; rows that it already has are left out by `attempt`. */
  readonly refusals: Refusals
  /** One refused row is enough, since nothing will be kept then. */
  readonly isFirstEnough: boolean
  /** Does the work for a range, within a savepoint. */
  readonly attempt: (from: number, until: number) => Promise<void>
}

const stepMin = 16

/**
 * Does the work, leaving out rows that the server refuses: those it names at once, others by halves.
 * After a refused row the next pieces are about as long as the distance to it and grow again, so
 * every row is tried about twice, however many are bad.
 *
 * @throws whatever else the server says.
 */
export async function doWithoutRefused(session: Session, pieces: Pieces): Promise<void> {
  const { size, refusals, isFirstEnough } = pieces
  let from = 0
  let step = Math.max(stepMin, refusals.keys().next().value ?? size)
  while (from < size) {
    if (isFirstEnough && refusals.size > 0) return
    const until = Math.min(size, from + step)
    const failure = await tryPiece(session, pieces, from, until)
    if (failure === undefined) {
      from = until
      step *= 4
    } else if (failure instanceof RowRefusedError) {
      refusals.set(failure.index, failure.refusal)
      step = Math.max(stepMin, failure.index - from)
    } else if (until - from === 1) {
      refusals.set(from, refusalOf(failure))
      from = until
    } else {
      step = Math.ceil((until - from) / 2)
    }
  }
  await tryOrphansAgain(session, pieces)
}

/** A row may refer to one that came later in the batch, and was refused only because it was tried apart. */
async function tryOrphansAgain(session: Session, pieces: Pieces): Promise<void> {
  const { refusals, isFirstEnough } = pieces
  const orphans = [...refusals].filter(([, refusal]) => refusal.code === '23503')
  if (isFirstEnough || pieces.size === 1) return
  for (const [index, refusal] of orphans) {
    refusals.delete(index)
    const failure = await tryPiece(session, pieces, index, index + 1)
    if (failure !== undefined) refusals.set(index, refusal)
  }
}

async function tryPiece(
  session: Session,
  pieces: Pieces,
  from: number,
  until: number,
): Promise<unknown> {
  await session.query('SAVEPOINT millrace_piece')
  try {
    await pieces.attempt(from, until)
    await session.query('RELEASE SAVEPOINT millrace_piece')
    return undefined
  } catch (error) {
    const verdict = verdictOf(error instanceof RowRefusedError ? error.cause : error)
    if (verdict !== 'data' && verdict !== 'repeated') throw error
    await session.query('ROLLBACK TO SAVEPOINT millrace_piece; RELEASE SAVEPOINT millrace_piece')
    return error
  }
}
