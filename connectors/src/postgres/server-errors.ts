import pg from 'pg'

/**
 * What an error of the server or of the connection means for a batch.
 *
 * `data`: a row is at fault and will never pass. `repeated`: one statement would change a row twice;
 * smaller pieces pass. `retry`: nothing is wrong with the batch. `fatal`: somebody has to mend the
 * table, the rights or the program.
 */
export type Verdict = 'data' | 'repeated' | 'retry' | 'fatal'

/** The connection failed underneath a statement, whose outcome is unknown if it was COMMIT. */
export class ConnectionLostError extends Error {
  constructor(cause: unknown) {
    const words = cause instanceof Error ? cause.message : String(cause)
    super(words === '' ? codeOf(cause) : words, { cause })
    this.name = 'ConnectionLostError'
  }
}

/** Whole classes of SQLSTATEs, then single ones: connection, resources, operators, transactions, system. */
const passing = /^(08|53|57|58|40)|^55P03$|^55006$|^25006$|^25P0[234]$/
/**
 * 22 data, 23 constraints, 44 views' checks, P000n what a trigger's code raises, and the classes that
 * the standard leaves to whoever writes triggers.
 */
const rowCodes = '^(22|23|44|45|[689I-OQ-WYZ])|^P000[1-4]$'
/** 54000: too large for an index or a page. */
const ofData = new RegExp(`${rowCodes}|^54000$`)

/** SQLSTATEs that always mean a row, or two rows of one statement, as a regular expression for SQL. */
export const sqlStatesOfRows = `${rowCodes}|^21000$`

export function verdictOf(error: unknown): Verdict {
  if (error instanceof ConnectionLostError) return 'retry'
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) return 'fatal'
  if (hasWrongShape(error)) return 'fatal'
  if (isOutOfTransactionIds(error)) return 'retry'
  if (passing.test(error.code)) return 'retry'
  if (ofData.test(error.code)) return 'data'
  return error.code === '21000' ? 'repeated' : 'fatal'
}

/** Binary rows of another shape than the table's: to the server a violation of the protocol, as a broken pooler is. */
function hasWrongShape(error: pg.DatabaseError): boolean {
  return error.code === '08P01' && lineOf(error) !== undefined
}

/** Until somebody vacuums; it has the code of an index entry that is too large. */
function isOutOfTransactionIds({ code, routine }: pg.DatabaseError): boolean {
  return code === '54000' && /^GetNew(TransactionId|MultiXactId)$/.test(routine ?? '')
}

/** The server itself said so. */
export function isServerError(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError
}

/** The row (counted from 1 within its COPY) that the server names; undefined when it names none. */
export function lineOf(error: unknown): number | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined
  const lines = [...(error.where ?? '').matchAll(/^COPY .*, line (\d+)/gm)]
  const last = lines.at(-1)?.[1]
  return last === undefined ? undefined : Number(last)
}

/** The server's words on an error, with its detail, on one line. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const detail = error instanceof pg.DatabaseError ? error.detail : undefined
  const column = error instanceof pg.DatabaseError ? columnOf(error) : undefined
  const words = detail === undefined ? error.message : `${error.message} (${detail})`
  return column === undefined || words.includes(column) ? words : `column "${column}": ${words}`
}

/** The SQLSTATE, or Node's error code, or `UNKNOWN`. */
export function codeOf(error: unknown): string {
  if (error instanceof ConnectionLostError) return codeOf(error.cause)
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'UNKNOWN'
}

/** The column that the server names; undefined when it names none. */
export function columnOf(error: unknown): string | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined
  if (error.column !== undefined) return error.column
  return /^COPY .*, line \d+, column ([^:\n]+)/m.exec(error.where ?? '')?.[1]
}

/** The constraint that the server names; undefined when it names none. */
export function constraintOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.constraint : undefined
}
