import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { RejectedError, UsageError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import type { OpenSink } from '@millrace/processors'
import type { CopyTask } from '../postgres/copy-task.ts'
import { isCopyTask } from '../postgres/copy-task.ts'
import { quoteIdentifier, quoteLiteral } from '../postgres/identifier.ts'
import type { Session } from '../postgres/session.ts'
import type { RejectOptions } from './reject-options.ts'
import { RejectsFile, WrittenFile } from './rejects-file.ts'
import type { Reject } from './store-chunk.ts'

/** The rejects of one chunk. */
export interface RejectBatch {
  /** What the load is remembered by; null: it is not. */
  readonly load: string | null
  /** Where the chunk begins, which tells it from others of the load. */
  readonly from: number
  /** What stands before the first record of their file. */
  readonly header: Buffer
  readonly rejects: readonly Reject[]
}

/** Refused records are kept here, in the transaction that passes them, until they are in their file. */
const rejectsTable = 'millrace_rejects'
/** In its file, as far as it was written; and one whose file somebody has taken away since. */
type State = 'kept' | 'written' | 'taken'
const pageRows = 1000

/** Row of {@link rejectsTable}. */
export interface KeptReject {
  readonly id: string
  readonly header: Buffer
  readonly file: string
  readonly line: string | null
  readonly byte: string | null
  readonly row: string | null
  readonly column: string | null
  readonly code: string
  readonly cause: string
  readonly record: Buffer
}

/**
 * Keeps refused records exactly once: first in the database, with the rows, then in a file made from
 * there. A file holds those of one table: of these loads, and of earlier ones as long as it stays there.
 */
export class Rejects {
  readonly #path: string
  readonly #max: number
  readonly #task: CopyTask
  readonly #table: string
  /** Of the file and the table. */
  readonly #where: string
  /** Those that were kept before: of these loads, and all that go into the file. */
  #ownBefore = 0
  #allBefore = 0
  readonly #counts = new Map<string, number>()

  private constructor(options: RejectOptions, task: CopyTask) {
    this.#path = resolve(options.path)
    this.#max = options.max ?? Infinity
    this.#task = task
    this.#table = tableOf(task)
    this.#where =
      `kept_in = ${quoteLiteral(this.#path)} AND kept_for = ${quoteLiteral(task.target.label)} ` +
      `AND state <> ${state('taken')}`
  }

  /**
   * @param loads What these loads are remembered by.
   * @throws UsageError the file is there, and is none of ours or was changed; or its directory can't be written to.
   */
  static async open(
    options: RejectOptions,
    sink: OpenSink,
    loads: readonly string[],
  ): Promise<Rejects> {
    const path = resolve(options.path)
    expectWritableDirectory(path)
    const task = await sink.claim(`rejects ${path}`)
    invariant(isCopyTask(task), 'rejects are kept in a sink that takes no copies')
    const rejects = new Rejects(options, task)
    await rejects.#readState(loads)
    await rejects.#expectOwnFile()
    return rejects
  }

  async #readState(loads: readonly string[]): Promise<void> {
    await this.#task.transact(async (session) => {
      await createTable(session, this.#table)
      // Who has taken the file away has its records; those of these loads are made again.
      if (!existsSync(this.#path)) {
        await session.query(
          `UPDATE ${this.#table} SET state = ${state('taken')} WHERE ${this.#where}
           AND state = ${state('written')} AND (load IS NULL OR load <> ALL ($1))`,
          [loads],
        )
      }
      const { rows } = await session.query<{ own: string; everyone: string }>(
        `SELECT count(*) FILTER (WHERE load = ANY ($1)) AS own, count(*) AS everyone
         FROM ${this.#table} WHERE ${this.#where}`,
        [loads],
      )
      this.#ownBefore = Number(rows[0]?.own)
      this.#allBefore = Number(rows[0]?.everyone)
      return null
    })
  }

  async #expectOwnFile(): Promise<void> {
    if (!existsSync(this.#path)) return
    if (this.#allBefore > 0 && (await this.#isAsWritten())) return
    const what =
      this.#allBefore > 0 ? 'was changed since records were kept there' : 'is there already'
    throw new UsageError(
      'USAGE',
      `${this.#path} ${what}, and would be overwritten by the records that "${this.#task.target.label}" ` +
        'refuses. Name another file, or move that one away.',
      { facts: { file: this.#path } },
    )
  }

  /**
   * Keeps the rejects of a chunk, inside its transaction.
   *
   * @throws RejectedError they are too many.
   */
  async keep(session: Session, { load, from, header, rejects }: RejectBatch): Promise<void> {
    this.#counts.set(`${from} ${load}`, rejects.length)
    this.#checkCount(rejects)
    for (let first = 0; first < rejects.length; first += pageRows) {
      const page = rejects.slice(first, first + pageRows)
      await session.query(
        `INSERT INTO ${this.#table} (kept_in, kept_for, load, header, file, line, byte, "row", "column",
           code, cause, record)
         SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
           $9::text[], $10::text[], $11::text[], $12::bytea[])`,
        [
          this.#path,
          this.#task.target.label,
          load,
          header,
          page.map(({ file }) => file),
          page.map(({ line }) => line ?? null),
          page.map(({ byte }) => byte ?? null),
          page.map(({ row }) => row ?? null),
          page.map(({ column }) => column ?? null),
          page.map(({ code }) => code),
          page.map(({ cause }) => withoutNul(cause)),
          page.map(({ record }) => record),
        ],
      )
    }
  }

  /** Writes all that is kept into the file, in the order of the input; it is there as a whole or not at all. */
  async export(): Promise<void> {
    if (this.#allBefore + this.#seen === 0) return
    // Somebody may have begun to mend it meanwhile, or a load into another table has made it.
    await this.#expectOwnFile()
    await this.#task.transact(async (session) => {
      const file = RejectsFile.create(this.#path)
      await this.#forEach(session, (reject) => file.add(reject))
      file.finish()
      await session.query(
        `UPDATE ${this.#table} SET state = ${state('written')} WHERE ${this.#where} AND state = ${state('kept')}`,
      )
      return null
    })
  }

  /** Somebody may be mending the records in the file itself. */
  async #isAsWritten(): Promise<boolean> {
    let isAsWritten = false
    await this.#task.transact(async (session) => {
      const file = new WrittenFile(this.#path)
      await this.#forEach(session, (reject) => file.pass(reject))
      isAsWritten = file.close()
      return null
    })
    return isAsWritten
  }

  async #forEach(session: Session, take: (reject: KeptReject) => void): Promise<void> {
    await session.query(
      `DECLARE millrace_rejected NO SCROLL CURSOR FOR SELECT id, header, file, line, byte, "row",
         "column", code, cause, record FROM ${this.#table}
       WHERE ${this.#where} ORDER BY header, file, byte, "row", id`,
    )
    for (;;) {
      const { rows } = await session.query<KeptReject>(`FETCH ${pageRows} FROM millrace_rejected`)
      for (const reject of rows) take(reject)
      if (rows.length === 0) return
    }
  }

  /** In this run. */
  get #seen(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }

  #checkCount(rejects: readonly Reject[]): void {
    const count = this.#ownBefore + this.#seen
    if (count <= this.#max) return
    const last = rejects.at(-1)
    throw new RejectedError(
      'ROW_REFUSED',
      `${count} records are refused, more than the ${this.#max} that may be. The last of them: ` +
        `${last?.file}, ${last?.line === undefined ? `row ${last?.row}` : `line ${last.line}`}: ${last?.cause}`,
      { facts: { rejectsMax: this.#max } },
    )
  }
}

/** Found before the load, not when hours of it are stored. */
function expectWritableDirectory(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK)
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    throw new UsageError(
      'USAGE',
      `Rejected records can't be written to ${path} (${code}). Name a file in a directory that is ` +
        'there and that you may write to.',
      { cause, facts: { file: path } },
    )
  }
}

function tableOf(task: CopyTask): string {
  return `${quoteIdentifier(task.target.schema)}.${quoteIdentifier(rejectsTable)}`
}

/** The table of earlier versions gets what it lacks. */
async function createTable(session: Session, table: string): Promise<void> {
  const { rows } = await session.query<{ isThere: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_attribute
       WHERE attrelid = to_regclass($1) AND attname = 'state') AS "isThere"`,
    [table],
  )
  if (rows[0]?.isThere === true) return
  await session.query(
    `SELECT pg_advisory_xact_lock(7205759404); CREATE TABLE IF NOT EXISTS ${table} (` +
      'id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kept_in text NOT NULL, header bytea NOT NULL, ' +
      'file text NOT NULL, line bigint, byte bigint, "row" bigint, "column" text, code text NOT NULL, ' +
      `cause text NOT NULL, record bytea NOT NULL); ALTER TABLE ${table} ` +
      "ADD COLUMN IF NOT EXISTS kept_for text NOT NULL DEFAULT '', ADD COLUMN IF NOT EXISTS load text, " +
      `ADD COLUMN IF NOT EXISTS state text NOT NULL DEFAULT ${state('kept')}`,
  )
}

function state(name: State): string {
  return quoteLiteral(name)
}

function withoutNul(text: string): string {
  return text.replaceAll('\0', '\\0').toWellFormed()
}
