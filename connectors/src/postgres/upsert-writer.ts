import type { Attempt, BatchWriter } from './batch-writer.ts'
import { copyRows } from './copy-rows.ts'
import type { CopyTarget } from './copy-rows.ts'
import { areExact, equalKeys } from './equal-keys.ts'
import type { KeyStage } from './equal-keys.ts'
import { quoteIdentifier, quoteList } from './identifier.ts'
import { mergeOf, mergeSql } from './merge.ts'
import type { MergeRule } from './merge.ts'
import { KeyReducer, MergeError } from './reduce-by-key.ts'
import type { KeyAliases, ReducedRows, RowMerge } from './reduce-by-key.ts'
import { RowRefusedError, doWithoutRefused } from './refused-rows.ts'
import { numberColumn, takeOverPiecewise, takeOverWithoutRefused } from './refused-rows-search.ts'
import type { Refusals } from './refused-rows.ts'
import { readerFor, rowEncoder } from './row-encoder.ts'
import type { WrittenColumn } from './row-encoder.ts'
import type { Session } from './session.ts'
import type { Table } from './table.ts'
import { UnfitValue } from './codecs/column-codec.ts'

const tableAlias = 'millrace_target'

/** What an upsert writes, and how. */
export interface UpsertOptions {
  readonly table: Table
  readonly columns: readonly WrittenColumn[]
  readonly key: readonly string[]
  readonly merge: Readonly<Record<string, MergeRule | undefined>>
  /** Tells this writer's temporary tables from those of others in the same session. */
  readonly generation: number
}

/** A temporary table, how to fill it, and what to do with its rows. */
interface Stage {
  readonly createSql: string
  readonly table: string
  readonly target: CopyTarget
  /** What the transaction must be told before; may be empty. */
  readonly settingsSql: string
  /** Takes over the rows in a range (a condition), in an order (a clause, or empty). */
  readonly applySql: (range: string, order: string) => string
  /** The order in which all of them are best written; empty: as they came. */
  readonly order: string
}

/**
 * Keeps one row per key: rows are copied into a temporary table and taken over from there, deletes
 * first. (`MERGE` measured three times slower: its planner scans the whole table.)
 */
export class UpsertWriter implements BatchWriter {
  readonly #reducer: KeyReducer
  readonly #upserts: Stage
  readonly #deletes: Stage
  /** For keys that may be equal though they are written differently. */
  readonly #keys: KeyStage & { readonly createSql: string }
  readonly #areKeysExact: boolean
  /** Sessions that have the temporary tables, with the transactions that had been taken back before. */
  readonly #prepared = new WeakMap<Session, number>()

  constructor(options: UpsertOptions) {
    const keyColumns = options.columns.filter((column) => options.key.includes(column.name))
    this.#reducer = new KeyReducer(options.columns, options.key, rowMerge(options))
    this.#upserts = upsertStage(options)
    this.#deletes = deleteStage(options, keyColumns)
    const keys = stageOf(`millrace_keys_${options.generation}`, options.table.sql, keyColumns)
    this.#keys = { ...keys, key: keyColumns.map((column) => column.name) }
    this.#areKeysExact = areExact(
      options.table.columns.filter((column) => options.key.includes(column.name)),
    )
  }

  async prepare(session: Session): Promise<void> {
    if (this.#prepared.get(session) === session.rollbacks) return
    const stages = [this.#upserts, this.#deletes, this.#keys]
    await session.query(stages.map(({ createSql }) => createSql).join('; '))
    this.#prepared.set(session, session.rollbacks)
  }

  forget(session: Session): void {
    this.#prepared.delete(session)
  }

  async clear(session: Session): Promise<void> {
    if (!this.#prepared.has(session)) return
    const stages = [this.#upserts, this.#deletes, this.#keys]
    await session.query(`TRUNCATE ${stages.map(({ table }) => `pg_temp.${table}`).join(', ')}`)
  }

  async write(attempt: Attempt): Promise<boolean> {
    const { session, batch, refusals } = attempt
    let { upserts, deletes } = this.#reducer.reduce(batch, refusals, false)
    // Without deletes the server says so itself: it refuses to change a row twice.
    if (!this.#areKeysExact && deletes.size > 0 && upserts.size > 0) {
      const aliases = await this.#aliases(attempt)
      if (aliases.size > 0) {
        ;({ upserts, deletes } = this.#reducer.reduce(batch, refusals, false, aliases))
      }
    }
    return (
      (await writeStage(session, this.#deletes, deletes, refusals)) &&
      (await writeStage(session, this.#upserts, upserts, refusals))
    )
  }

  async writeApart(attempt: Attempt): Promise<boolean> {
    const { session, batch, refusals } = attempt
    await session.query('SET CONSTRAINTS ALL IMMEDIATE')
    const aliases = await this.#aliases(attempt)
    const { upserts, deletes } = this.#reducer.reduce(batch, refusals, true, aliases)
    return (
      (await writeStageApart(attempt, this.#deletes, deletes)) &&
      (await writeStageApart(attempt, this.#upserts, upserts))
    )
  }

  #aliases({ session, batch, refusals }: Attempt): Promise<KeyAliases> {
    return equalKeys(session, this.#keys, this.#reducer.keys(batch, refusals))
  }
}

function upsertStage({ table, columns, key, merge, generation }: UpsertOptions): Stage {
  const names = quoteList(columns.map((column) => column.name))
  const updates = columns
    .filter((column) => !key.includes(column.name))
    .map((column) => mergeSql(ruleOf(merge, column), column, tableAlias))
  const action = updates.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${updates.join(', ')}`
  return {
    ...stageOf(`millrace_upserts_${generation}`, table.sql, columns),
    // In the key's order neighbours are written together, which measured twice as fast.
    order: table.isOrderFree ? `ORDER BY ${quoteList(key)}` : '',
    settingsSql: '',
    applySql: (range, order) =>
      `INSERT INTO ${table.sql} AS ${tableAlias} (${names}) ` +
      `SELECT ${names} FROM pg_temp.millrace_upserts_${generation} AS stage WHERE ${range} ${order} ` +
      `ON CONFLICT (${quoteList(key)}) ${action}`,
  }
}

function deleteStage(options: UpsertOptions, keyColumns: readonly WrittenColumn[]): Stage {
  const table = `millrace_deletes_${options.generation}`
  const matches = options.key
    .map(quoteIdentifier)
    .map((name) => `${tableAlias}.${name} = stage.${name}`)
  return {
    ...stageOf(table, options.table.sql, keyColumns),
    order: '',
    // Each key is looked up by the index, whatever the planner thinks of an unanalysed table.
    settingsSql: 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;',
    applySql: (range) =>
      `DELETE FROM ${options.table.sql} AS ${tableAlias} USING pg_temp.${table} AS stage ` +
      `WHERE ${matches.join(' AND ')} AND ${range}`,
  }
}

function stageOf(
  name: string,
  tableSql: string,
  columns: readonly WrittenColumn[],
): Omit<Stage, 'applySql' | 'order' | 'settingsSql'> {
  const names = columns.map((column) => column.name)
  const encoder = rowEncoder(columns, true)
  return {
    table: name,
    createSql:
      `CREATE TEMPORARY TABLE IF NOT EXISTS ${name} ON COMMIT DELETE ROWS AS ` +
      `SELECT ${quoteList(names)}, 0::integer AS ${numberColumn} FROM ${tableSql} WITH NO DATA`,
    target: {
      sql:
        `COPY pg_temp.${name} (${quoteList([...names, numberColumn])}) ` +
        `FROM STDIN WITH (${encoder.copyOptions})`,
      encoder,
    },
  }
}

/** @returns false when the transaction must be rolled back and the batch written apart. */
async function writeStage(
  session: Session,
  stage: Stage,
  rows: ReducedRows,
  refusals: Refusals,
): Promise<boolean> {
  if (rows.size === 0) return true
  const refused: Refusals = new Map()
  try {
    await copyRows(session, stage.target, rows, 0, rows.size, refused)
  } catch (error) {
    if (!(error instanceof RowRefusedError)) throw error
    refused.set(error.index, error.refusal)
    refuseOrigins(refused, rows, refusals, 0)
    return false
  }
  if (refuseOrigins(refused, rows, refusals, 0)) return false
  await session.query(`${stage.settingsSql} ${stage.applySql('true', stage.order)}`)
  return true
}

/** @returns false when records that were refused had replaced others, which now get their turn. */
async function writeStageApart(
  { session, refusals, isFirstEnough, round }: Attempt,
  stage: Stage,
  rows: ReducedRows,
): Promise<boolean> {
  if (rows.size === 0 || (isFirstEnough && refusals.size > 0)) return true
  const refused: Refusals = new Map()
  const pieces = { size: rows.size, refusals: refused, isFirstEnough }
  await doWithoutRefused(session, {
    ...pieces,
    attempt: (from, until) => copyRows(session, stage.target, rows, from, until, refused),
  })
  if (isFirstEnough && refused.size > 0) return !refuseOrigins(refused, rows, refusals, round)
  await session.query(`SET LOCAL enable_seqscan = off; ${stage.settingsSql}`)
  const applySql = (range: string): string =>
    stage.applySql(range, `ORDER BY stage.${numberColumn}`)
  const staged = { table: stage.table, size: rows.size, applySql }
  if (!(await takeOverWithoutRefused(session, staged, refused, isFirstEnough))) {
    await takeOverPiecewise(session, staged, refused, isFirstEnough)
  }
  return !refuseOrigins(refused, rows, refusals, round)
}

const patientRounds = 4

/**
 * Refuses the records behind refused rows: the last of each at first; after some rounds, more and more
 * of those that it stood for, so that one hot key can't take as many rounds as it has records.
 *
 * @returns whether some of the records behind them are left and must get their turn.
 */
function refuseOrigins(
  refused: Refusals,
  rows: ReducedRows,
  refusals: Refusals,
  round: number,
): boolean {
  const count = 2 ** Math.max(0, round - patientRounds)
  let isSomeLeft = false
  for (const [index, refusal] of refused) {
    const origins = rows.origins[index] ?? []
    for (const origin of origins.slice(-count)) refusals.set(origin, refusal)
    if (origins.length > count) isSomeLeft = true
  }
  return isSomeLeft
}

// A column may be named like something that every object inherits.
function ruleOf(merge: UpsertOptions['merge'], { name }: WrittenColumn): MergeRule {
  return (Object.hasOwn(merge, name) ? merge[name] : undefined) ?? 'replace'
}

function rowMerge({ columns, key, merge }: UpsertOptions): RowMerge | undefined {
  if (Object.values(merge).every((rule) => rule === undefined || rule === 'replace'))
    return undefined
  const read = readerFor(columns.map((column) => column.name))
  const rules = columns
    .filter((column) => !key.includes(column.name))
    .map((column) => ({
      name: column.name,
      join: mergeOf(ruleOf(merge, column), column),
    }))
  return (older, newer) => {
    const joined: Record<string, unknown> = { ...newer }
    for (const { name, join } of rules) {
      try {
        joined[name] = join(read(null, older, name), read(null, newer, name))
      } catch (error) {
        throw error instanceof UnfitValue ? new MergeError(name, error) : error
      }
    }
    return joined
  }
}
