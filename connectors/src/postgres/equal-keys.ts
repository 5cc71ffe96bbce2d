import { copyRows } from './copy-rows.ts'
import type { CopyTarget, Rows } from './copy-rows.ts'
import { quoteList } from './identifier.ts'
import type { KeyAliases, KeyReducer } from './reduce-by-key.ts'
import { doWithoutRefused } from './refused-rows.ts'
import type { Refusals } from './refused-rows.ts'
import { numberColumn } from './refused-rows-search.ts'
import type { Session } from './session.ts'
import type { TableColumn } from './table.ts'

/** Values of these types are equal to the server only when their bytes are. */
const exactTypes =
  /^(smallint|integer|bigint|boolean|uuid|date|bytea|text|character varying(\(\d+\))?|timestamp with(out)? time zone)$/

/** Whether two keys that differ in their bytes are always two keys to the server. */
export function areExact(keyColumns: readonly TableColumn[]): boolean {
  return keyColumns.every(({ type, ignoresCase }) => exactTypes.test(type) && !ignoresCase)
}

/** Where keys are copied to be compared. */
export interface KeyStage {
  readonly table: string
  readonly target: CopyTarget
  readonly key: readonly string[]
}

/**
 * Asks the server which keys are equal though they are written differently: 1.0 and 1.00 in `numeric`,
 * 'A' and 'a' in `citext`, what a column's scale or collation makes one.
 */
export async function equalKeys(
  session: Session,
  { table, target, key }: KeyStage,
  keys: ReturnType<KeyReducer['keys']>,
): Promise<KeyAliases> {
  const aliases = new Map<string, string>()
  const { rows, identities } = keys
  if (rows.size < 2) return aliases
  await copyKeys(session, target, rows)
  const same = await session.query<{ numbers: number[] }>(
    `SELECT array_agg(${numberColumn}) AS numbers FROM pg_temp.${table} ` +
      `GROUP BY ${quoteList(key)} HAVING count(*) > 1`,
  )
  for (const { numbers } of same.rows) {
    const canonical = identities[numbers[0] ?? -1] ?? ''
    for (const number of numbers) aliases.set(identities[number] ?? '', canonical)
  }
  return aliases
}

/** A key that its column refuses is equal to none; its row is refused where it is written. */
async function copyKeys(session: Session, target: CopyTarget, rows: Rows): Promise<void> {
  const refusals: Refusals = new Map()
  await doWithoutRefused(session, {
    size: rows.size,
    refusals,
    isFirstEnough: false,
    attempt: (from, until) => copyRows(session, target, rows, from, until, refusals),
  })
}
