import pg from 'pg'
import { doWithoutRefused, refusalOf } from './refused-rows.ts'
import type { Refusals } from './refused-rows.ts'
import { codeOf, sqlStatesOfRows, verdictOf } from './server-errors.ts'
import type { Session } from './session.ts'

/** The column that numbers the rows of a stage. */
export const numberColumn = 'millrace_row_number'

/** Rows that wait in a temporary table, each with its number, to be taken over into their table. */
export interface StagedRows {
  /** Name of the temporary table. */
  readonly table: string
  /** Numbers are below this; refused rows have left gaps. */
  readonly size: number
  /** Takes over the rows in a range; the stage is called `stage` in it. One statement. */
  readonly applySql: (range: string) => string
}

// One statement searches so many rows, so that none runs long enough to be timed out.
const rowsPerStatement = 4_096
const functionName = 'pg_temp.millrace_search'
const foreignKeyViolation = '23503'

/**
 * Takes over all staged rows but those that the server refuses, and finds those by halves. The search
 * runs inside the server, a subtransaction a piece: over the wire, thousands of bad rows would cost as
 * many thousand round trips.
 *
 * @returns false when the server can't do it (no right to temporary objects, no PL/pgSQL); then nothing
 *   was taken over.
 * @throws what the server says of anything but a row.
 */
export async function takeOverWithoutRefused(
  session: Session,
  rows: StagedRows,
  refusals: Refusals,
  isFirstEnough: boolean,
): Promise<boolean> {
  await session.query('SAVEPOINT millrace_search')
  try {
    await session.query(
      `CREATE INDEX ${rows.table}_index ON pg_temp.${rows.table} (${numberColumn})`,
    )
    await session.query(searchFunction(rows))
    const found = await searchRange(session, 0, rows.size, isFirstEnough)
    await tryOrphansAgain(session, rows, found, isFirstEnough)
    for (const [index, refusal] of found) refusals.set(index, refusal)
    await session.query(`DROP INDEX pg_temp.${rows.table}_index; RELEASE SAVEPOINT millrace_search`)
    return true
  } catch (error) {
    if (!isBeyondServer(error)) throw error
    await session.query('ROLLBACK TO SAVEPOINT millrace_search; RELEASE SAVEPOINT millrace_search')
    return false
  }
}

/** The same over the wire, for servers that can't search: a round trip or two for each piece. */
export async function takeOverPiecewise(
  session: Session,
  { table, size, applySql }: StagedRows,
  refusals: Refusals,
  isFirstEnough: boolean,
): Promise<void> {
  await session.query(`CREATE INDEX ${table}_index ON pg_temp.${table} (${numberColumn})`)
  await doWithoutRefused(session, {
    size,
    refusals,
    isFirstEnough,
    attempt: async (from, until) => {
      const range = `stage.${numberColumn} >= ${from} AND stage.${numberColumn} < ${until}`
      await session.query(applySql(range))
    },
  })
  await session.query(`DROP INDEX pg_temp.${table}_index`)
}

/** Makes what is needed to search; false when the server doesn't let us. */
export async function stageRows(session: Session, createSql: string): Promise<boolean> {
  await session.query('SAVEPOINT millrace_stage')
  try {
    await session.query(createSql)
    return true
  } catch (error) {
    if (!isBeyondServer(error)) throw error
    await session.query('ROLLBACK TO SAVEPOINT millrace_stage')
    return false
  }
}

/** Rights (42501), the language (42704), a server that only speaks like PostgreSQL (0A000), or a row's error that has two meanings. */
function isBeyondServer(error: unknown): boolean {
  return /^(42501|42704|0A000)$/.test(codeOf(error)) || verdictOf(error) === 'data'
}

async function searchRange(
  session: Session,
  from: number,
  until: number,
  isFirstEnough: boolean,
): Promise<Refusals> {
  const found: Refusals = new Map()
  for (let low = from; low < until; low += rowsPerStatement) {
    const high = Math.min(until, low + rowsPerStatement)
    const { rows } = await session.query<FoundRow>(`SELECT * FROM ${functionName}($1, $2, $3)`, [
      low,
      high,
      found.size === 0 ? rowsPerStatement : pieceRows((low - from) / found.size),
    ])
    for (const row of rows) found.set(row.row_number, refusalOf(errorOf(row)))
    const isOrphan = rows[0]?.code === foreignKeyViolation
    if (isFirstEnough && rows.length > 0 && !isOrphan) break
  }
  return found
}

/**
 * How many rows to try at once when every `distance`-th is bad. A piece costs about two rows, and one
 * that fails costs its rows again: the sum is smallest near the square root.
 */
function pieceRows(distance: number): number {
  return Math.ceil(2 * Math.sqrt(distance))
}

/** A row may refer to one that came later in the batch, or to one that refers to it: tried apart, it was refused. */
async function tryOrphansAgain(
  session: Session,
  { table, size }: StagedRows,
  found: Refusals,
  isFirstEnough: boolean,
): Promise<void> {
  for (;;) {
    const orphans = [...found].filter(([, { code }]) => code === foreignKeyViolation)
    if (orphans.length === 0 || (isFirstEnough && orphans.length < found.size)) return
    const numbers = orphans.map(([index]) => index)
    await session.query(
      `DELETE FROM pg_temp.${table} WHERE ${numberColumn} <> ALL ($1::integer[])`,
      [numbers],
    )
    const still = await searchRange(session, Math.min(...numbers), size, false)
    for (const index of numbers) if (!still.has(index)) found.delete(index)
    if (still.size === orphans.length) return
  }
}

/** A refused row, as the search tells it. */
interface FoundRow {
  readonly row_number: number
  readonly code: string
  readonly message: string
  readonly detail: string
  readonly column_name: string
  readonly constraint_name: string
}

function errorOf(row: FoundRow): pg.DatabaseError {
  const error = new pg.DatabaseError(row.message, 0, 'error')
  const given = (text: string): string | undefined => (text === '' ? undefined : text)
  return Object.assign(error, {
    code: row.code,
    detail: given(row.detail),
    column: given(row.column_name),
    constraint: given(row.constraint_name),
  })
}

/**
 * Pieces that fail are halved down to single rows. Once rows were refused, pieces are no longer than
 * {@link pieceRows}, so that a row is tried about twice, however many are bad. What is no row's fault
 * ends the search.
 */
function searchFunction({ applySql }: StagedRows): string {
  const range = `stage.${numberColumn} >= millrace.low AND stage.${numberColumn} < millrace.high`
  const body = `
    #variable_conflict use_column
    <<millrace>>
    DECLARE
      low integer := $1;
      high integer;
      size integer := $3;
      size_max integer := $3;
      refused integer := 0;
    BEGIN
      WHILE millrace.low < $2 LOOP
        millrace.high := least(millrace.low + millrace.size, $2);
        BEGIN
          ${applySql(range)};
          millrace.size := least(2 * millrace.size, millrace.size_max);
          millrace.low := millrace.high;
        EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
          IF SQLSTATE !~ '${sqlStatesOfRows}' THEN RAISE; END IF;
          IF millrace.high - millrace.low > 1 THEN
            millrace.size := (millrace.high - millrace.low) / 2;
          ELSE
            GET STACKED DIAGNOSTICS
              code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
              column_name = COLUMN_NAME, constraint_name = CONSTRAINT_NAME;
            row_number := millrace.low;
            RETURN NEXT;
            millrace.low := millrace.high;
            millrace.refused := millrace.refused + 1;
            millrace.size_max := ceil(2 * sqrt((millrace.low - $1)::float8 / millrace.refused));
            millrace.size := least(greatest(millrace.size_max / 2, 1), millrace.size_max);
          END IF;
        END;
      END LOOP;
    END`
  const quote = dollarQuote(body)
  return (
    `CREATE OR REPLACE FUNCTION ${functionName}(integer, integer, integer) RETURNS TABLE (row_number integer, ` +
    'code text, message text, detail text, column_name text, constraint_name text) ' +
    `LANGUAGE plpgsql AS ${quote}${body}${quote}`
  )
}

/** Names of tables and columns may contain anything, also what ends a quotation. */
function dollarQuote(body: string): string {
  let tag = 'millrace'
  while (body.includes(`$${tag}$`)) tag += '_'
  return `$${tag}$`
}
