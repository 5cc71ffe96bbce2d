import { UsageError } from '@millrace/core'
import { quoteIdentifier, quoteLiteral } from './identifier.ts'
import { codeOf } from './server-errors.ts'
import type { Session } from './session.ts'

/** The table that holds one row per (pipeline, sink, task): who may write, and how far it has come. */
export const fenceTable = 'millrace_fence'

/**
 * Makes the fence table in a schema.
 *
 * @throws UsageError without the right to; the message has the statement for somebody who may.
 */
export async function createFenceTable(session: Session, schema: string): Promise<void> {
  const name = `${quoteIdentifier(schema)}.${quoteIdentifier(fenceTable)}`
  const { rows } = await session.query<{ isThere: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_attribute
       WHERE attrelid = to_regclass($1) AND attname = 'opening') AS "isThere"`,
    [name],
  )
  if (rows[0]?.isThere === true) return
  const sql = `CREATE TABLE IF NOT EXISTS ${name} (
  pipeline text, sink text, task text,
  log_id text NOT NULL, claim bigint NOT NULL, seq bigint NOT NULL, position jsonb,
  owner text NOT NULL, backend_pid integer NOT NULL, table_oid oid, opening text,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (pipeline, sink, task)
) WITH (fillfactor = 50);
ALTER TABLE ${name} ADD COLUMN IF NOT EXISTS table_oid oid, ADD COLUMN IF NOT EXISTS opening text`
  try {
    // Two that make the same table at once would trip over each other's catalog rows.
    await session.query(
      `BEGIN; SELECT pg_advisory_xact_lock(hashtext(${quoteLiteral(name)})); ${sql}; COMMIT`,
    )
  } catch (error) {
    await session.rollback()
    if (codeOf(error) !== '42501') throw error
    throw new UsageError(
      'DATABASE_REFUSED',
      `Millrace keeps its positions in the table ${name} and may not create it. ` +
        `Let somebody with the right to run:\n${sql};`,
      { cause: error },
    )
  }
}
