import { FailedError, invariant } from '@millrace/core'
import type { Json, SinkTask } from '@millrace/processors'
import { quoteList, quoteLiteral } from './identifier.ts'
import { columnOf, lineOf, verdictOf, wordsOf } from './server-errors.ts'
import type { CopyBuffer } from './copy-buffer.ts'
import type { CopyIn } from './copy-in.ts'
import { CsvTranscoder } from './csv-transcoder.ts'
import type { CsvText, CsvTextDialect } from './csv-transcoder.ts'
import { writeBinaryEnd, writeBinaryStart } from './row-encoder.ts'
import type { Session } from './session.ts'
import type { Table } from './table.ts'
import type { Target } from './target.ts'

/** Records of a CSV file on their way into a table, for one transaction. */
export interface CsvPassage {
  /** The table's columns, in the order of the file's. */
  readonly columns: readonly string[]
  readonly dialect: CsvTextDialect
  /** Goes to the first record; after a lost connection it is called again. */
  begin(): void
  /**
   * The next records, again until they are taken; undefined when the transaction should end. The
   * bytes stay as they are until the next peek but one.
   */
  peek(): Promise<CsvText | undefined>
  /** These records are on their way. */
  take(text: CsvText): void
  /** What to store with the records that were taken. */
  readonly position: Json
}

/** A task that can take CSV unparsed, which the server reads faster than rows are made of it. */
export interface CsvTask extends SinkTask {
  /** The table is there, in append mode. */
  readonly takesCsv: boolean
  /**
   * As {@link SinkTask.write}, of text: resolves once all records and the position are durable,
   * together. Times without a zone are read as UTC.
   *
   * @throws CsvLineRefused the server refused a line and named it; nothing was written.
   */
  copyCsv(passage: CsvPassage): Promise<void>
}

/** Can this task take CSV unparsed? */
export function isCsvTask(task: SinkTask): task is CsvTask {
  return 'takesCsv' in task && task.takesCsv === true
}

/** The server refused a line of a {@link CsvPassage}; nothing of it was written. */
export class CsvLineRefused extends Error {
  /** As the server counts: see {@link isRefusedRecord}. */
  readonly line: number
  readonly isBinary: boolean
  readonly column: string | undefined

  constructor(line: number, isBinary: boolean, cause: unknown) {
    super(wordsOf(cause), { cause })
    this.name = 'CsvLineRefused'
    this.line = line
    this.isBinary = isBinary
    this.column = columnOf(cause)
  }
}

/** Runs one COPY inside the session's transaction; returns the position to store. */
export async function copyCsv(
  session: Session,
  target: Target,
  passage: CsvPassage,
): Promise<Json> {
  const table = target.appended
  invariant(table !== undefined, 'CSV can be copied into a table in append mode only')
  passage.begin()
  const form = await chooseForm(session, table, passage)
  const names = quoteList(passage.columns)
  let records = 0
  try {
    await session.query("SET LOCAL TimeZone = 'UTC'")
    const sql = `COPY ${table.sql} (${names}) FROM STDIN WITH (${form.options})`
    const copied = await session.copyIn(sql, async (copy) => {
      records = await form.send(copy, passage)
    })
    // A trigger may leave rows out on purpose; otherwise the server must have seen what we saw.
    if (!table.hasTriggers && copied !== records) throw disagreement(table.label, copied, records)
    return passage.position
  } catch (error) {
    const line = verdictOf(error) === 'data' ? lineOf(error) : undefined
    throw line === undefined ? error : new CsvLineRefused(line, form.isBinary, error)
  }
}

/** How text goes to the server. */
interface Form {
  readonly isBinary: boolean
  /** For `COPY … WITH (…)`. */
  readonly options: string
  /** Sends what the passage has; returns the records sent. */
  send(copy: CopyIn, passage: CsvPassage): Promise<number>
}

/** Binary, where every column and all of the first records can be; else the text as it stands. */
async function chooseForm(session: Session, table: Table, passage: CsvPassage): Promise<Form> {
  const { columns, dialect } = passage
  const written = columns.map((name) => table.columns.find((column) => column.name === name))
  const known = written.filter((column) => column !== undefined)
  invariant(known.length === columns.length, 'CSV has a column that the table has not')
  const transcoder = CsvTranscoder.for(known, dialect)
  const first = await passage.peek()
  const out = session.buffer
  out.position = 0
  if (first && transcoder?.write(out, first)) return binaryForm(transcoder, out)
  return textForm(dialect)
}

function binaryForm(transcoder: CsvTranscoder, out: CopyBuffer): Form {
  return {
    isBinary: true,
    options: 'FORMAT binary',
    async send(copy, passage) {
      let records = 0
      out.position = 0
      writeBinaryStart(out)
      for (let text = await passage.peek(); text; text = await passage.peek()) {
        if (!transcoder.write(out, text)) break
        passage.take(text)
        records += text.records
        await copy.send(out.take())
      }
      writeBinaryEnd(out)
      await copy.send(out.take())
      return records
    },
  }
}

function textForm({ delimiter, quote, null: nullText }: CsvTextDialect): Form {
  return {
    isBinary: false,
    options:
      `FORMAT csv, ENCODING 'UTF8', DELIMITER ${quoteLiteral(delimiter)}, ` +
      `QUOTE ${quoteLiteral(quote)}, NULL ${quoteLiteral(nullText)}`,
    async send(copy, passage) {
      let records = 0
      for (let text = await passage.peek(); text; text = await passage.peek()) {
        await copy.send(text.bytes)
        passage.take(text)
        records += text.records
      }
      return records
    },
  }
}

function disagreement(table: string, copied: number, sent: number): FailedError {
  return new FailedError(
    'ROW_COUNT_DIFFERS',
    `PostgreSQL counted ${copied} rows for "${table}" where the file has ${sent} records; nothing ` +
      'of them was stored. Please report it, with the file.',
    { facts: { table, copied, sent } },
  )
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Tells the refused record when it is shown the records that were sent, one after the other, with
 * their line ends. Of binary rows the server counts each; of text it counts records and, inside quotes,
 * one character of the line end. In the first record it doesn't know that yet, and counts carriage
 * returns.
 */
export function isRefusedRecord({ line, isBinary }: CsvLineRefused): (record: Buffer) => boolean {
  let counted = 0
  if (isBinary) return () => ++counted >= line
  let lineEnd = CARRIAGE_RETURN
  return (record) => {
    const isFirst = counted === 0
    const hasReturn = record.at(-2) === CARRIAGE_RETURN
    if (!isFirst) lineEnd = hasReturn ? CARRIAGE_RETURN : LINE_FEED
    counted += Math.max(1, countOf(record, lineEnd) + (isFirst && !hasReturn ? 1 : 0))
    return counted >= line
  }
}

function countOf(bytes: Buffer, byte: number): number {
  let count = 0
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) count++
  return count
}
