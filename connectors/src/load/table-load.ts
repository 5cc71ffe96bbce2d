import { FailedError, RejectedError, UsageError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import type { Column } from '@millrace/processors'
import type { CopyIn } from '../postgres/copy-in.ts'
import { isCopyTask } from '../postgres/copy-task.ts'
import type { CopyTask } from '../postgres/copy-task.ts'
import { quoteList } from '../postgres/identifier.ts'
import { codeOf, columnOf, lineOf, verdictOf, wordsOf } from '../postgres/server-errors.ts'
import type { Session } from '../postgres/session.ts'
import type { Table } from '../postgres/table.ts'
import { afterDraining } from './draining.ts'
import { readLoadPosition } from './load-position.ts'
import type { LoadPosition } from './load-position.ts'
import type { LoadResult } from './load.ts'
import { ProgressMeter } from './load-progress.ts'
import { SourceTable } from './source-table.ts'
import type { TableLoadOptions } from './table-options.ts'

/** An empty piece of COPY: says that we are there, while the source says nothing. */
const nothing = Buffer.from([0x64, 0, 0, 0, 4])
const nothingEveryMs = 5_000

/** As `loadTable` says. */
export async function copyTable(options: TableLoadOptions): Promise<LoadResult> {
  const { sink, signal = new AbortController().signal, onNotice = () => {} } = options
  if (sink.mode !== 'append') {
    const next = 'Load it without a key into a table of its own, and merge that one with SQL.'
    throw new UsageError('USAGE', `Rows are copied from a database in append mode only. ${next}`)
  }
  const source = await SourceTable.open(options.from, onNotice, signal)
  try {
    if (options.create) await source.createIn(options.create, onNotice, signal)
    const open = await sink.open({
      pipeline: 'load',
      logId: 'load',
      columns: source.columns.map(({ name }): Column => ({ name, type: 'string', nullable: true })),
      signal: afterDraining(signal),
      notice: onNotice,
    })
    try {
      const name = options.name ?? source.label
      const task = await open.claim(name)
      invariant(isCopyTask(task), 'a table is copied into a sink that takes no copies')
      return await new TableLoad(source, task, name, options, signal).run()
    } finally {
      await open.close()
    }
  } finally {
    await source.close()
  }
}

class TableLoad {
  readonly #source: SourceTable
  readonly #task: CopyTask
  readonly #name: string
  readonly #meter: ProgressMeter
  readonly #signal: AbortSignal

  constructor(
    source: SourceTable,
    task: CopyTask,
    name: string,
    options: TableLoadOptions,
    signal: AbortSignal,
  ) {
    this.#source = source
    this.#task = task
    this.#name = name
    this.#meter = new ProgressMeter(options.onProgress)
    this.#signal = signal
  }

  async run(): Promise<LoadResult> {
    const done = readLoadPosition(this.#name, this.#task.position)
    if (done) return this.#result('unchanged', done.rows, done.rows)
    const { rowsEstimate } = this.#source
    this.#meter.start(rowsEstimate === undefined ? {} : { rows: rowsEstimate })
    try {
      let rows = 0
      await this.#task.transact(async (session) => {
        this.#meter.rows = 0
        this.#meter.bytes = 0
        rows = await this.#copy(session)
        return { rows, source: this.#source.label } satisfies LoadPosition
      })
      return this.#result('loaded', rows, 0)
    } catch (error) {
      if (!this.#signal.aborted) throw error
      return this.#result('stopped', 0, 0)
    } finally {
      await this.#task.release()
    }
  }

  async #copy(session: Session): Promise<number> {
    const table = this.#task.target.appended
    invariant(table !== undefined, 'a table is copied into one that is not there')
    const format = (await this.#source.hasTypesOf(session, table)) ? 'binary' : 'text'
    // Text means the same on both sides only with the same settings.
    await session.query(this.#source.settingsSql)
    const names = quoteList(this.#source.columns.map(({ name }) => name))
    try {
      const copied = await session.copyIn(
        `COPY ${table.sql} (${names}) FROM STDIN WITH (FORMAT ${format})`,
        (copy) => this.#feed(copy, format),
      )
      return copied
    } catch (error) {
      throw verdictOf(error) === 'data' ? refused(error, this.#source.label, table) : error
    }
  }

  async #feed(copy: CopyIn, format: 'binary' | 'text'): Promise<void> {
    const keepAlive = setInterval(
      () => void copy.sendMessages(nothing).catch(() => {}),
      nothingEveryMs,
    )
    try {
      await this.#source.copyOut(format, async (messages, rows) => {
        this.#signal.throwIfAborted()
        keepAlive.refresh()
        await copy.sendMessages(messages)
        this.#meter.moved(rows, messages.length)
      })
      // A signal that came with the last rows comes too late, but for those of an empty table.
      this.#signal.throwIfAborted()
    } finally {
      clearInterval(keepAlive)
    }
  }

  #result(outcome: LoadResult['outcome'], rows: number, rowsBefore: number): LoadResult {
    this.#meter.rows = rows
    return {
      outcome,
      rows,
      rowsBefore,
      rejected: 0,
      filesUnchanged: 0,
      columns: [],
      elapsedMs: this.#meter.finish(outcome !== 'stopped'),
    }
  }
}

function refused(error: unknown, label: string, table: Table): Error {
  const row = lineOf(error)
  const column = columnOf(error)
  const where = row === undefined ? 'A row' : `Row ${row}`
  const options = { cause: error, facts: { table: table.label, row, column, code: codeOf(error) } }
  const message = `${where} of ${label} can't be stored in the table "${table.label}"`
  const next =
    'Nothing was stored. Change the table; or leave such rows out or convert them in a query (--query).'
  return row === undefined
    ? new FailedError('ROW_REFUSED', `${message}: ${wordsOf(error)}. ${next}`, options)
    : new RejectedError('ROW_REFUSED', `${message}: ${wordsOf(error)}. ${next}`, options)
}
