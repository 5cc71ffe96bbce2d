import { UsageError } from '@millrace/core'
import { didYouMean } from '@millrace/core/options'
import { quoteTable } from './identifier.ts'
import type { TableName } from './identifier.ts'
import type { WrittenColumn } from './row-encoder.ts'
import type { Session } from './session.ts'
import { codecOf } from './codecs/catalog.ts'
import type { CatalogType } from './codecs/catalog.ts'

/** A table as the server's catalog describes it. */
export interface Table {
  readonly oid: number
  /** Changes with whatever of the table a writer relies on: columns, types, triggers, unique indexes. */
  readonly shape: string
  /** Quoted, with its schema. */
  readonly sql: string
  /** For messages: `flights`, as the user wrote it. */
  readonly label: string
  readonly schema: string
  readonly columns: readonly TableColumn[]
  /** Column names of each unique index that ON CONFLICT can use. */
  readonly uniqueKeys: readonly (readonly string[])[]
  readonly hasTriggers: boolean
  /** The order in which a statement writes its rows can't be told afterwards: no triggers, one unique index. */
  readonly isOrderFree: boolean
}

export interface TableColumn extends WrittenColumn {
  readonly isNotNull: boolean
  /** The server can fill it in: a default or an identity. */
  readonly hasDefault: boolean
  /** The server always computes it, and refuses a value. */
  readonly isGenerated: boolean
  /** Its collation holds texts of different bytes for equal. */
  readonly ignoresCase: boolean
}

interface ClassRow {
  readonly oid: number
  readonly schema: string
  readonly table: string
  readonly kind: string
  readonly hasTriggers: boolean
  readonly uniqueIndexes: number
  readonly shape: string
}

interface AttributeRow {
  readonly name: string
  readonly oid: number
  readonly type: string
  readonly isNotNull: boolean
  readonly hasDefault: boolean
  readonly isGenerated: boolean
  readonly ignoresCase: boolean
}

/** A query for {@link Table.shape}, given an expression for the table's quoted name; null without the table. */
export function shapeSql(name: string): string {
  return `(SELECT md5(concat_ws(' ', c.oid, c.relhastriggers,
      (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique),
      (SELECT string_agg(concat_ws(' ', attnum, attname, atttypid, atttypmod, attnotnull, atthasdef,
           attidentity, attgenerated), ',' ORDER BY attnum)
       FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)))
    FROM pg_class c WHERE c.oid = to_regclass(${name}))`
}

/**
 * Reads a table's description; undefined when there is no such table.
 *
 * @throws UsageError when the name belongs to something that can't be copied into.
 */
export async function readTable(session: Session, name: TableName): Promise<Table | undefined> {
  const { rows: classes } = await session.query<ClassRow>(
    `SELECT c.oid, n.nspname AS schema, c.relname AS table, c.relkind AS kind,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS "hasTriggers",
       (SELECT count(*)::int FROM pg_index i
        WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)) AS "uniqueIndexes",
       ${shapeSql('$1')} AS shape
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)`,
    [quoteTable(name)],
  )
  const found = classes[0]
  if (found === undefined) return undefined
  const label = labelOf(name)
  if (!'rpf'.includes(found.kind)) {
    throw new UsageError(
      'TABLE_MISMATCH',
      `"${label}" is not a table; rows can be written to tables only.`,
    )
  }
  const { rows: attributes } = await session.query<AttributeRow>(
    `SELECT attname AS name, atttypid AS oid, format_type(atttypid, atttypmod) AS type,
       attnotnull AS "isNotNull", atthasdef OR attidentity <> '' AS "hasDefault",
       attgenerated <> '' OR attidentity = 'a' AS "isGenerated",
       EXISTS (SELECT FROM pg_collation c WHERE c.oid = attcollation AND NOT c.collisdeterministic)
         AS "ignoresCase"
     FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [found.oid],
  )
  const catalog = await readTypes(session, found.oid)
  return {
    oid: found.oid,
    shape: found.shape,
    sql: quoteTable(found),
    label,
    schema: found.schema,
    columns: attributes.map((column) => ({ ...column, codec: codecOf(column.oid, catalog) })),
    uniqueKeys: await readUniqueKeys(session, found.oid),
    hasTriggers: found.hasTriggers,
    isOrderFree: !found.hasTriggers && found.uniqueIndexes <= 1,
  }
}

/** The schema in which an unqualified new table would be made. */
export async function currentSchema(session: Session): Promise<string> {
  const { rows } = await session.query<{ schema: string | null }>(
    'SELECT current_schema() AS schema',
  )
  const schema = rows[0]?.schema ?? undefined
  if (schema !== undefined) return schema
  throw new UsageError(
    'USAGE',
    'No schema of the search path exists in this database. Name the table as "schema.table".',
  )
}

/** An error for a table that is not there, with the next best name. */
export async function noSuchTable(
  session: Session,
  name: TableName,
  database: string,
): Promise<UsageError> {
  const { rows } = await session.query<{ table: string }>(
    `SELECT relname AS table FROM pg_class
     WHERE relkind IN ('r', 'p', 'f') AND relnamespace = COALESCE(to_regnamespace($1)::oid, current_schema()::regnamespace)
     ORDER BY relname LIMIT 1000`,
    [name.schema ?? null],
  )
  const hint = didYouMean(
    name.table,
    rows.map((row) => row.table),
  )
  return new UsageError(
    'TABLE_NOT_FOUND',
    `There is no table "${labelOf(name)}" in ${database}.${hint} ` +
      'Create it, or have it made from the schema of the rows: create: true (millrace load: --create).',
    { facts: { table: labelOf(name) } },
  )
}

export function labelOf(name: TableName): string {
  return name.schema === undefined ? name.table : `${name.schema}.${name.table}`
}

const typeColumns = 't.oid, t.typname, t.typtype, t.typcategory, t.typelem, t.typbasetype'

async function readTypes(session: Session, tableOid: number): Promise<Map<number, CatalogType>> {
  const { rows } = await session.query<CatalogType>(
    `WITH RECURSIVE used AS (
       SELECT ${typeColumns} FROM pg_type t
       WHERE t.oid IN (SELECT atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0)
       UNION
       SELECT ${typeColumns} FROM pg_type t JOIN used u ON t.oid IN (u.typelem, u.typbasetype))
     SELECT oid, typname AS name, typtype AS kind, typcategory AS category,
       typelem AS "elementOid", typbasetype AS "baseOid" FROM used`,
    [tableOid],
  )
  return new Map(rows.map((type) => [type.oid, type]))
}

async function readUniqueKeys(session: Session, tableOid: number): Promise<string[][]> {
  const { rows } = await session.query<{ columns: string[] }>(
    `SELECT array_agg(a.attname::text ORDER BY k.place) AS columns
     FROM pg_index i
     CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
     WHERE i.indrelid = $1 AND i.indisunique AND i.indimmediate AND i.indisvalid
       AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
     GROUP BY i.indexrelid`,
    [tableOid],
  )
  return rows.map((row) => row.columns)
}
