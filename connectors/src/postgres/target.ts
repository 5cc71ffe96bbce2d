import { UsageError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import type { SinkBatch, SinkContext } from '@millrace/processors'
import { AppendWriter } from './append-writer.ts'
import type { BatchWriter } from './batch-writer.ts'
import { columnsOfRows, createTable } from './create-table.ts'
import { timesAreUtcSql } from './csv-copy.ts'
import type { TableName } from './identifier.ts'
import type { MergeRule } from './merge.ts'
import type { Session } from './session.ts'
import { currentSchema, labelOf, noSuchTable, readTable, shapeSql } from './table.ts'
import type { Table } from './table.ts'
import { checkComplete, checkKey, checkKeyIsThere, columnOf, replaced } from './table-fit.ts'
import type { WrittenColumn } from './row-encoder.ts'
import { UpsertWriter } from './upsert-writer.ts'

/** What a sink was asked to do, with every default filled in. */
export interface TargetOptions {
  readonly table: TableName
  readonly mode: 'append' | 'upsert'
  readonly key: readonly string[]
  readonly columns: readonly string[] | undefined
  readonly merge: Readonly<Record<string, MergeRule | undefined>>
  readonly create: boolean
}

/**
 * The table that a sink writes, and which columns of it. They come from the options, else from the
 * schema, else from the rows themselves, with the first batch.
 */
export class Target {
  readonly #options: TargetOptions
  readonly #context: SinkContext
  /** Names given by options or schema; undefined: the rows say. */
  readonly #given: readonly string[] | undefined
  readonly #database: string
  readonly #seen = new Set<string>()
  #table: Table | undefined
  #writer: BatchWriter | undefined
  readonly #textWriters = new Map<string, BatchWriter>()
  #generation = 0
  readonly schema: string

  private constructor(
    options: TargetOptions,
    context: SinkContext,
    database: string,
    table: Table | undefined,
    schema: string,
  ) {
    this.#options = options
    this.#context = context
    this.#database = database
    this.#table = table
    this.schema = schema
    this.#given = givenColumns(options, context)
    if (table !== undefined && this.#given !== undefined) this.#compile(table, this.#given)
    else if (table !== undefined) checkKey(table, options)
  }

  /** @throws UsageError the table or its columns don't fit what was asked. */
  static async open(
    session: Session,
    options: TargetOptions,
    context: SinkContext,
    database: string,
  ): Promise<Target> {
    let table = await readTable(session, options.table)
    if (table === undefined && !options.create) {
      throw await noSuchTable(session, options.table, database)
    }
    const names = context.columns.map((column) => column.name)
    const isTyped = names.length > 0 && context.columns.every((column) => !column.isUntyped)
    const isKnown = isTyped && options.key.every((name) => names.includes(name))
    if (table === undefined && isKnown) {
      await createTable(session, options.table, context.columns, primaryKey(options))
      table = await readTable(session, options.table)
    }
    const schema = table?.schema ?? options.table.schema ?? (await currentSchema(session))
    return new Target(options, context, database, table, schema)
  }

  /**
   * The writer for a batch; with columns that come from the rows it may be another one than before.
   *
   * @throws UsageError the rows have properties that the table has no column for.
   */
  async writerFor(session: Session, batch: SinkBatch): Promise<BatchWriter> {
    this.#table ??= await this.#createFromRows(session, batch)
    if (this.#given === undefined) this.#lookAt(this.#table, batch)
    const writer = this.#writer ?? this.#compile(this.#table, this.#given ?? [...this.#seen])
    await writer.prepare(session)
    return writer
  }

  /** A writer, for this transaction, of rows whose values are text, which the server reads as it does in SQL. */
  async textWriter(session: Session, names: readonly string[]): Promise<BatchWriter> {
    const table = this.#table
    invariant(table !== undefined, 'text is written to a table that is not there')
    const key = JSON.stringify(names)
    const writer = this.#textWriters.get(key) ?? this.#compileText(table, names)
    this.#textWriters.set(key, writer)
    await session.query(timesAreUtcSql)
    await writer.prepare(session)
    return writer
  }

  /** Makes ready for another batch in the same transaction. */
  async clear(session: Session): Promise<void> {
    for (const writer of [this.#writer, ...this.#textWriters.values()]) await writer?.clear(session)
  }

  /** A transaction of the session was rolled back, and with it what its writers may have made. */
  forget(session: Session): void {
    for (const writer of [this.#writer, ...this.#textWriters.values()]) writer?.forget(session)
  }

  /** The table's name, for people. */
  get label(): string {
    return labelOf(this.#options.table)
  }

  /** The table in append mode, where every row is copied straight into it; else undefined. */
  get appended(): Table | undefined {
    return this.#options.mode === 'append' ? this.#table : undefined
  }

  /** The table as it was when it was looked at last; undefined as long as it is to be made from the rows. */
  get table(): Table | undefined {
    return this.#table
  }

  /** Is the table still as it was when it was looked at? */
  async isStill(session: Session, table: Table | undefined): Promise<boolean> {
    if (table === undefined) return true
    const { rows } = await session.query<{ shape: string | null }>(
      `SELECT ${shapeSql('$1')} AS shape`,
      [table.sql],
    )
    return rows[0]?.shape === table.shape
  }

  /**
   * Looks at the table again.
   *
   * @returns whether it was altered since; then the next writer is made for what it is now.
   * @throws UsageError it is gone, is another one now, or can't take the rows any more.
   */
  async refresh(session: Session): Promise<boolean> {
    const before = this.#table
    if (before === undefined) return false
    const now = await readTable(session, this.#options.table)
    if (now === undefined) throw await noSuchTable(session, this.#options.table, this.#database)
    if (now.oid !== before.oid) throw replaced(now)
    if (now.shape === before.shape) return false
    this.#table = now
    this.#writer = undefined
    this.#textWriters.clear()
    if (this.#given !== undefined) this.#compile(now, this.#given)
    this.#context.notice(`the table "${now.label}" was altered; going on with it as it is now`)
    return true
  }

  async #createFromRows(session: Session, batch: SinkBatch): Promise<Table> {
    const { table: name, key } = this.#options
    const known = this.#context.columns
    const typed = new Set(known.filter((column) => !column.isUntyped).map((column) => column.name))
    const found = columnsOfRows(batch).filter((column) => !typed.has(column.name))
    const others = known.filter((column) => found.every((other) => other.name !== column.name))
    const columns = [...found, ...others]
    checkKeyIsThere(name, key, columns)
    await createTable(session, name, columns, key)
    const table = await readTable(session, name)
    if (table !== undefined) return table
    throw new UsageError(
      'TABLE_MISMATCH',
      `The table "${labelOf(name)}" was dropped as soon as it was made.`,
    )
  }

  /** Looks at every row: a property in only one of them would else be lost in silence. */
  #lookAt(table: Table, batch: SinkBatch): void {
    const before = this.#seen.size
    noteNames(batch.keys, this.#seen)
    noteNames(batch.values, this.#seen)
    if (this.#seen.size > before) this.#writer = undefined
    if (this.#writer !== undefined) return
    // What the rows don't have becomes null, except where the server has a value of its own.
    const others = table.columns.filter((column) => !column.hasDefault && !column.isGenerated)
    this.#compile(table, [...new Set([...this.#seen, ...others.map((column) => column.name)])])
  }

  #compile(table: Table, names: readonly string[]): BatchWriter {
    checkKey(table, this.#options)
    const columns = names.map((name) => columnOf(table, name))
    if (this.#given !== undefined) checkComplete(table, names)
    for (const name of Object.keys(this.#options.merge)) columnOf(table, name)
    this.#writer = this.#writerOf(table, columns)
    return this.#writer
  }

  #compileText(table: Table, names: readonly string[]): BatchWriter {
    const columns = names.map((name) => ({ ...columnOf(table, name), codec: undefined }))
    return this.#writerOf(table, columns)
  }

  #writerOf(table: Table, columns: readonly WrittenColumn[]): BatchWriter {
    const { mode, key, merge } = this.#options
    this.#generation += 1
    const generation = this.#generation
    return mode === 'append'
      ? new AppendWriter(table.sql, columns)
      : new UpsertWriter({ table, columns, key, merge, generation })
  }
}

/** Adds the names of all properties. Most rows have those of the row before, in the same order. */
function noteNames(rows: SinkBatch['values'], names: Set<string>): void {
  const latest: string[] = []
  for (const row of rows) {
    let place = 0
    for (const name in row) {
      if (latest[place] !== name) {
        names.add(name)
        latest[place] = name
      }
      place += 1
    }
  }
}

function givenColumns(options: TargetOptions, context: SinkContext): readonly string[] | undefined {
  const known = context.isSample === true ? [] : context.columns.map((column) => column.name)
  const names = options.columns ?? known
  return names.length === 0 ? undefined : [...new Set([...options.key, ...names])]
}

function primaryKey({ mode, key }: TargetOptions): readonly string[] {
  return mode === 'upsert' ? key : []
}
