import { FailedError, invariant } from '@millrace/core'
import type { Json, SinkTask } from '@millrace/processors'
import { quoteList, quoteLiteral } from './identifier.ts'
import { columnOf, lineOf, verdictOf, wordsOf } from './server-errors.ts'
import type { Session } from './session.ts'
import type { Target } from './target.ts'

/** Records of a CSV file on their way into a table as they stand in the file. */
export interface CsvPassage {
  /** The table's columns, in the order of the file's. */
  readonly columns: readonly string[]
  /** One ASCII character each; an unquoted field that holds `null` means null. */
  readonly dialect: { readonly delimiter: string; readonly quote: string; readonly null: string }
  /**
   * Sends whole records. Bytes given to `send` must stay as they are until the next call but one.
   * After a lost connection it is called again, to send from the same record on.
   *
   * @returns the records sent and the position after them.
   */
  readonly feed: (
    send: (bytes: Buffer) => Promise<void>,
  ) => Promise<{ readonly records: number; readonly position: Json }>
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
  /** As the server counts lines: see {@link isRefusedRecord}. */
  readonly line: number
  readonly column: string | undefined

  constructor(line: number, cause: unknown) {
    super(wordsOf(cause), { cause })
    this.name = 'CsvLineRefused'
    this.line = line
    this.column = columnOf(cause)
  }
}

/** Runs one COPY inside the session's transaction; returns the position to store. */
export async function copyCsv(
  session: Session,
  target: Target,
  { columns, dialect, feed }: CsvPassage,
): Promise<Json> {
  const table = target.appended
  invariant(table !== undefined, 'CSV can be copied into a table in append mode only')
  const options =
    `FORMAT csv, ENCODING 'UTF8', DELIMITER ${quoteLiteral(dialect.delimiter)}, ` +
    `QUOTE ${quoteLiteral(dialect.quote)}, NULL ${quoteLiteral(dialect.null)}`
  const sql = `COPY ${table.sql} (${quoteList(columns)}) FROM STDIN WITH (${options})`
  let fed: Awaited<ReturnType<typeof feed>> | undefined
  try {
    await session.query("SET LOCAL TimeZone = 'UTC'")
    const copied = await session.copyIn(sql, async (copy) => {
      fed = await feed((bytes) => copy.send(bytes))
    })
    invariant(fed !== undefined, 'COPY ended before its text was sent')
    // A trigger may leave rows out on purpose; otherwise the server must have seen what we saw.
    if (!table.hasTriggers && copied !== fed.records)
      throw disagreement(table.label, copied, fed.records)
    return fed.position
  } catch (error) {
    const line = verdictOf(error) === 'data' ? lineOf(error) : undefined
    throw line === undefined ? error : new CsvLineRefused(line, error)
  }
}

function disagreement(table: string, copied: number, sent: number): FailedError {
  return new FailedError(
    'RECORD_COUNT',
    `PostgreSQL counted ${copied} rows for "${table}" where the file has ${sent} records; nothing ` +
      'of them was stored. Please report it, with the file.',
    { facts: { table, copied, sent } },
  )
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Tells the refused record when it is shown the records that were sent, one after the other, with
 * their line ends. The server counts records and, inside quotes, one character of its line end;
 * in the first record it doesn't know its line end yet, and counts carriage returns.
 */
export function isRefusedRecord({ line }: CsvLineRefused): (record: Buffer) => boolean {
  let counted = 0
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
