import { UsageError } from '@millrace/core'
import type { TakeCopyData } from '../postgres/copy-out.ts'
import { parseTableName, quoteIdentifier, quoteTable } from '../postgres/identifier.ts'
import { codeOf, isServerError, verdictOf, wordsOf } from '../postgres/server-errors.ts'
import { databaseOf, firstSession } from '../postgres/session-login.ts'
import type { Database, Session } from '../postgres/session.ts'
import type { Table } from '../postgres/table.ts'
import { mapColumns } from './column-mapping.ts'
import type { SourceTableOptions } from './table-options.ts'

/** A column of the source. */
interface SourceColumn {
  /** In the target. */
  readonly name: string
  /** In the source. */
  readonly source: string
  readonly oid: number
  /** In SQL. */
  readonly type: string
}

/** Types that users make have other numbers in every database. */
const builtInOidMax = 16_383

/** A table or query in another database, read in one snapshot. */
export class SourceTable {
  /** For messages, and to remember a load by; without the password. */
  readonly label: string
  readonly columns: readonly SourceColumn[]
  readonly rowsEstimate: number | undefined
  readonly settingsSql =
    "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; " +
    "SET LOCAL extra_float_digits = 3; SET LOCAL TimeZone = 'UTC'; SET LOCAL lc_monetary = 'C'"
  readonly #database: Database
  readonly #selectSql: string
  #session: Session

  private constructor(
    database: Database,
    session: Session,
    label: string,
    columns: readonly SourceColumn[],
    from: { readonly sql: string; readonly rowsEstimate: number | undefined },
  ) {
    this.#database = database
    this.#session = session
    this.label = label
    this.columns = columns
    this.rowsEstimate = from.rowsEstimate
    const list = columns.map(({ source }) => quoteIdentifier(source)).join(', ')
    this.#selectSql = `SELECT ${list} FROM ${from.sql}`
  }

  /** @throws UsageError there is no such table, or the query is wrong. */
  static async open(
    options: SourceTableOptions,
    notice: (message: string) => void,
    signal: AbortSignal,
  ): Promise<SourceTable> {
    const { url, table, query, mapping = {} } = options
    if ((table === undefined) === (query === undefined)) {
      const next = '--from-table NAME, or --query SQL.'
      throw new UsageError('USAGE', `Say what to load from the database: ${next}`)
    }
    const database = databaseOf(url)
    const label = `${database.label} ${table ?? query ?? ''}`
    const sql =
      query === undefined
        ? quoteTable(parseTableName(table ?? ''))
        : `(${query.replace(/;\s*$/, '')}\n) AS millrace_source`
    const session = await firstSession(database, notice, signal)
    try {
      const found = await describe(session, sql)
      const mapped = mapColumns(
        label,
        found.map(({ name }) => ({ name, type: 'string', nullable: true })),
        mapping,
      )
      const columns = found.flatMap(({ name: source, oid, type }, index) => {
        const name = mapped[index]?.column?.name
        return name === undefined ? [] : [{ name, source, oid, type }]
      })
      const rowsEstimate = query === undefined ? await estimate(session, sql) : undefined
      return new SourceTable(database, session, label, columns, { sql, rowsEstimate })
    } catch (error) {
      await session.close()
      if (!isServerError(error)) throw error
      const [code, next] =
        query === undefined
          ? ([
              'TABLE_NOT_FOUND',
              'Name a table there, with its schema: --from-table shop.orders.',
            ] as const)
          : ([
              'DATABASE_REFUSED',
              'Mend the query; psql on that database shows where it fails.',
            ] as const)
      throw new UsageError(
        code,
        `${label} can't be read: ${wordsOf(error)} (${codeOf(error)}). ${next}`,
        { cause: error, facts: { database: database.label } },
      )
    }
  }

  /** Makes a table with the types of this one, when it is missing. */
  async createIn(
    target: { readonly url: string; readonly table: string },
    notice: (message: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const list = this.columns.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`).join(', ')
    const name = quoteTable(parseTableName(target.table))
    const session = await firstSession(databaseOf(target.url), notice, signal)
    try {
      await session.query(`CREATE TABLE IF NOT EXISTS ${name} (${list})`)
    } catch (error) {
      if (!isServerError(error)) throw error
      throw new UsageError(
        'DATABASE_REFUSED',
        `The table ${name} can't be created: ${wordsOf(error)}. The statement was:\n` +
          `CREATE TABLE ${name} (${list});`,
        { cause: error },
      )
    } finally {
      await session.close()
    }
  }

  /** Are the target's columns of the very same types, so that binary COPY fits? */
  async hasTypesOf(session: Session, table: Table): Promise<boolean> {
    const { rows } = await session.query<{ name: string; oid: number }>(
      'SELECT attname AS name, atttypid::int AS oid FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0',
      [table.sql],
    )
    const oids = new Map(rows.map(({ name, oid }) => [name, oid]))
    return this.columns.every(({ name, oid }) => oid <= builtInOidMax && oids.get(name) === oid)
  }

  /** Sends all rows of a snapshot that begins now. */
  async copyOut(format: 'binary' | 'text', take: TakeCopyData): Promise<void> {
    if (this.#session.isBroken) {
      this.#session = await firstSession(this.#database, () => {}, new AbortController().signal)
    }
    await this.#session.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${this.settingsSql}`,
    )
    let refusal: unknown
    const watched: TakeCopyData = (messages, rows) =>
      take(messages, rows).catch((error: unknown) => {
        refusal = error
        throw error
      })
    try {
      const sql = `COPY (${this.#selectSql}) TO STDOUT WITH (FORMAT ${format})`
      await this.#session.copyOut(sql, watched)
    } catch (error) {
      // What another server says to the rows is not this one's fault.
      const isOurs = error !== refusal && isServerError(error) && verdictOf(error) !== 'retry'
      throw isOurs ? this.#unreadable(error) : error
    } finally {
      if (!this.#session.isBroken) await this.#session.rollback()
    }
  }

  #unreadable(error: unknown): UsageError {
    const message = `${this.label} can't be read: ${wordsOf(error)} (${codeOf(error)}).`
    return new UsageError('DATABASE_REFUSED', message, { cause: error })
  }

  close(): Promise<void> {
    return this.#session.close()
  }
}

async function describe(
  session: Session,
  sql: string,
): Promise<{ name: string; oid: number; type: string }[]> {
  const { fields } = await session.query(`SELECT * FROM ${sql} LIMIT 0`)
  const { rows } = await session.query<{ type: string }>(
    `SELECT format_type(oid, mod) AS type FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS t (oid, mod, at)
     ORDER BY at`,
    [fields.map(({ dataTypeID }) => dataTypeID), fields.map((field) => field.dataTypeModifier)],
  )
  return fields.map(({ name, dataTypeID }, index) => ({
    name,
    oid: dataTypeID,
    type: rows[index]?.type ?? 'text',
  }))
}

/** By the server's statistics; undefined when it has none. */
async function estimate(session: Session, tableSql: string): Promise<number | undefined> {
  const { rows } = await session.query<{ rows: number }>(
    'SELECT reltuples::float8 AS rows FROM pg_class WHERE oid = to_regclass($1)',
    [tableSql],
  )
  const found = rows[0]?.rows ?? -1
  return found > 0 ? found : undefined
}
