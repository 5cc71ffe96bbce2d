import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { RejectedError, UsageError, invariant } from '@millrace/core'
import type { OpenSink } from '@millrace/processors'
import type { CopyTask } from '../postgres/copy-task.ts'
import { isCopyTask } from '../postgres/copy-task.ts'
import { quoteIdentifier } from '../postgres/identifier.ts'
import type { Session } from '../postgres/session.ts'
import type { RejectOptions } from './reject-options.ts'
import { RejectsFile, WrittenFile } from './rejects-file.ts'
import type { Reject } from './store-chunk.ts'

/** The rejects of one chunk. */
export interface RejectBatch {
  /** Tells the chunk from others. */
  readonly key: string
  /** What stands before the first record of their file. */
  readonly header: Buffer
  readonly rejects: readonly Reject[]
}

/** Refused records are kept here, in the transaction that passes them, until they are in their file. */
const rejectsTable = 'millrace_rejects'
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

/** Keeps refused records exactly once: first in the database, with the rows, then in a file made from there. */
export class Rejects {
  readonly #path: string
  readonly #max: number
  readonly #task: CopyTask
  readonly #table: string
  /** Those that were kept before. */
  readonly #before: number
  readonly #counts = new Map<string, number>()

  private constructor(options: RejectOptions, task: CopyTask, before: number) {
    this.#path = resolve(options.path)
    this.#max = options.max ?? Infinity
    this.#task = task
    this.#table = tableOf(task)
    this.#before = before
  }

  /** @throws UsageError the file is there, and is none of ours or was changed; or its directory can't be written to. */
  static async open(options: RejectOptions, sink: OpenSink): Promise<Rejects> {
    const path = resolve(options.path)
    expectWritableDirectory(path)
    const task = await sink.claim(`rejects ${path}`)
    invariant(isCopyTask(task), 'rejects are kept in a sink that takes no copies')
    const table = tableOf(task)
    let before = 0
    await task.transact(async (session) => {
      await session.query(createSql(table))
      const { rows } = await session.query<{ count: string }>(
        `SELECT count(*) FROM ${table} WHERE kept_in = $1`,
        [path],
      )
      before = Number(rows[0]?.count)
      return null
    })
    const rejects = new Rejects(options, task, before)
    if (!existsSync(path) || (before > 0 && (await rejects.#isAsWritten()))) return rejects
    const what = before > 0 ? 'was changed since records were kept there' : 'is there already'
    throw new UsageError(
      'USAGE',
      `${path} ${what}, and would be overwritten by the rejected records. Name another file, or move ` +
        'that one away.',
      { facts: { file: path } },
    )
  }

  /**
   * Keeps the rejects of a chunk, inside its transaction.
   *
   * @throws RejectedError they are too many.
   */
  async keep(session: Session, { key, header, rejects }: RejectBatch): Promise<void> {
    this.#counts.set(key, rejects.length)
    this.#checkCount(rejects)
    for (let from = 0; from < rejects.length; from += pageRows) {
      const page = rejects.slice(from, from + pageRows)
      await session.query(
        `INSERT INTO ${this.#table} (kept_in, header, file, line, byte, "row", "column", code, cause, record)
         SELECT $1, $2, * FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
           $7::text[], $8::text[], $9::text[], $10::bytea[])`,
        [
          this.#path,
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
    const seen = this.#before + [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
    if (seen === 0) return
    await this.#task.transact(async (session) => {
      const file = RejectsFile.create(this.#path)
      await this.#forEach(session, (reject) => file.add(reject))
      file.finish()
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
       WHERE kept_in = '${this.#path.replaceAll("'", "''")}' ORDER BY header, file, byte, "row", id`,
    )
    for (;;) {
      const { rows } = await session.query<KeptReject>(`FETCH ${pageRows} FROM millrace_rejected`)
      for (const reject of rows) take(reject)
      if (rows.length === 0) return
    }
  }

  #checkCount(rejects: readonly Reject[]): void {
    const count = [...this.#counts.values()].reduce((sum, some) => sum + some, this.#before)
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

function createSql(table: string): string {
  return (
    `SELECT pg_advisory_xact_lock(7205759404); CREATE TABLE IF NOT EXISTS ${table} (` +
    'id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kept_in text NOT NULL, header bytea NOT NULL, ' +
    'file text NOT NULL, line bigint, byte bigint, "row" bigint, "column" text, code text NOT NULL, ' +
    'cause text NOT NULL, record bytea NOT NULL)'
  )
}

function withoutNul(text: string): string {
  return text.replaceAll('\0', '\\0').toWellFormed()
}
