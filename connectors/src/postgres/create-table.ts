import { UsageError } from '@millrace/core'
import { isExactNumber } from '../exact-number.ts'
import type { Column, ColumnType, SinkBatch } from '@millrace/processors'
import { quoteIdentifier, quoteList, quoteTable } from './identifier.ts'
import type { TableName } from './identifier.ts'
import { codeOf, wordsOf } from './server-errors.ts'
import type { Session } from './session.ts'

const sqlTypes: Readonly<Record<ColumnType, string>> = {
  boolean: 'boolean',
  int32: 'integer',
  int64: 'bigint',
  float64: 'double precision',
  decimal: 'numeric',
  string: 'text',
  bytes: 'bytea',
  timestamp: 'timestamp with time zone',
  date: 'date',
  uuid: 'uuid',
  json: 'jsonb',
}

/**
 * Makes a table of these columns, and a primary key of `key` where it is given; fine when somebody
 * else made it first.
 *
 * @throws UsageError without the right to.
 */
export async function createTable(
  session: Session,
  name: TableName,
  columns: readonly Column[],
  key: readonly string[],
): Promise<void> {
  const table = quoteTable(name)
  const sql = createTableSql(name, columns, key)
  try {
    await session.query(`BEGIN; SELECT pg_advisory_xact_lock(7205759403); ${sql}; COMMIT`)
  } catch (error) {
    await session.rollback()
    if (codeOf(error) !== '42501' && codeOf(error) !== '3F000') throw error
    throw new UsageError(
      'DATABASE_REFUSED',
      `The table ${table} can't be created: ${wordsOf(error)}. The statement was:\n${sql};`,
      { cause: error },
    )
  }
}

/** The statement that makes such a table. */
export function createTableSql(
  name: TableName,
  columns: readonly Column[],
  key: readonly string[],
): string {
  const definitions = columns.map((column) => definitionOf(column, key.includes(column.name)))
  if (key.length > 0) definitions.push(`PRIMARY KEY (${quoteList(key)})`)
  return `CREATE TABLE IF NOT EXISTS ${quoteTable(name)} (${definitions.join(', ')})`
}

/**
 * The columns that the rows of a batch have, for tables created without a schema. Numbers become
 * `double precision` (what JSON numbers are); a column that is null in every row becomes `text`.
 */
export function columnsOfRows(batch: SinkBatch): Column[] {
  const types = new Map<string, ColumnType | undefined>()
  for (let index = 0; index < batch.size; index += 1) {
    for (const row of [batch.keys[index], batch.values[index]]) {
      for (const [name, value] of Object.entries(row ?? {})) {
        const known = types.get(name)
        const found = value === null || value === undefined ? known : typeOfValue(value)
        types.set(name, known === undefined || known === found ? found : 'json')
      }
    }
  }
  return [...types].map(([name, type]) => ({ name, type: type ?? 'string', nullable: true }))
}

function definitionOf(column: Column, isKey: boolean): string {
  const type = `${sqlTypes[column.type]}${column.array === true ? '[]' : ''}`
  return `${quoteIdentifier(column.name)} ${type}${column.nullable && !isKey ? '' : ' NOT NULL'}`
}

function typeOfValue(value: unknown): ColumnType {
  switch (typeof value) {
    case 'boolean':
      return 'boolean'
    case 'bigint':
      return 'int64'
    case 'number':
      return 'float64'
    case 'string':
      return 'string'
    default:
      if (value instanceof Date) return 'timestamp'
      if (isExactNumber(value)) return 'float64'
      return value instanceof Uint8Array ? 'bytes' : 'json'
  }
}
