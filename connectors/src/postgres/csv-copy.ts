import { FailedError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import { scanCsv } from '../files/csv/csv-scan.ts'
import { CsvTranscoder } from './csv-transcoder.ts'
import type { CsvTextDialect } from './csv-transcoder.ts'
import { quoteList, quoteLiteral } from './identifier.ts'
import { writeBinaryEnd, writeBinaryStart } from './row-encoder.ts'
import type { Session } from './session.ts'
import type { Table } from './table.ts'

/** Whole records of CSV with well-formed quotes. */
export interface CsvText {
  readonly bytes: Buffer
  readonly dialect: CsvTextDialect
  /** The table's column that each field of a record goes to; undefined: to none. */
  readonly columns: readonly (string | undefined)[]
}

const CARRIAGE_RETURN = 0x0d
/** Times without a zone are UTC, whichever way they go; the server would take them for its own. */
export const timesAreUtcSql = "SET LOCAL TimeZone = 'UTC'"
/** The server reads one message while the next is on its way. */
const sendBytes = 128 * 1024

/**
 * Copies CSV into a table inside the session's transaction, without making rows of it: as binary
 * while the values have their usual forms, and as the text that it is from the first other one on.
 * Times without a zone are UTC.
 *
 * @returns the records copied; undefined when the server would read the text otherwise than we do, and
 *   the transaction must be rolled back.
 * @throws DatabaseError the server refused a record.
 */
export async function copyCsv(
  session: Session,
  table: Table,
  text: CsvText,
): Promise<number | undefined> {
  const columns = text.columns.map((name) => columnOf(table, name))
  const transcoder = CsvTranscoder.for(columns, text.dialect)
  const restAt = transcoder ? await copyBinary(session, table, text, transcoder) : 0
  const records = transcoder?.records ?? 0
  if (restAt === text.bytes.length) return records
  const rest = await copyAsItStands(session, table, text, restAt)
  return rest === undefined ? undefined : records + rest
}

function columnOf(table: Table, name: string | undefined): Table['columns'][number] | undefined {
  if (name === undefined) return undefined
  const column = table.columns.find((candidate) => candidate.name === name)
  invariant(column !== undefined, 'CSV has a column that the table has not')
  return column
}

/** Returns where the first record begins that was left to the server. */
async function copyBinary(
  session: Session,
  table: Table,
  { bytes, columns }: CsvText,
  transcoder: CsvTranscoder,
): Promise<number> {
  const out = session.buffer
  out.position = 0
  writeBinaryStart(out)
  const headerBytes = out.position
  let at = transcoder.write(out, bytes, 0)
  if (out.position === headerBytes) return at
  const sql = `COPY ${table.sql} (${namesOf(columns)}) FROM STDIN WITH (FORMAT binary)`
  const copied = await session.copyIn(sql, async (copy) => {
    for (;;) {
      await copy.send(out.take())
      const next = transcoder.write(out, bytes, at)
      if (next === at) break
      at = next
    }
    writeBinaryEnd(out)
    await copy.send(out.take())
  })
  checkCount(table, copied, transcoder.records)
  return at
}

async function copyAsItStands(
  session: Session,
  table: Table,
  { bytes, columns, dialect }: CsvText,
  start: number,
): Promise<number | undefined> {
  const { delimiter, quote, null: nullText } = dialect
  const rest = bytes.subarray(start)
  const scan = scanCsv(rest, dialect, true)
  const isAllWritten = columns.every((name) => name !== undefined)
  if (quote === '' || !isAllWritten || !meansTheSame(rest, scan)) return undefined
  await session.query(timesAreUtcSql)
  const sql =
    `COPY ${table.sql} (${namesOf(columns)}) FROM STDIN WITH (FORMAT csv, ENCODING 'UTF8', ` +
    `DELIMITER ${quoteLiteral(delimiter)}, QUOTE ${quoteLiteral(quote)}, NULL ${quoteLiteral(nullText)})`
  const copied = await session.copyIn(sql, async (copy) => {
    for (let at = 0; at < rest.length; at += sendBytes) {
      await copy.send(rest.subarray(at, at + sendBytes))
    }
  })
  checkCount(table, copied, scan.records)
  return scan.records
}

function namesOf(columns: CsvText['columns']): string {
  return quoteList(columns.filter((name) => name !== undefined))
}

/** Does PostgreSQL read this text as we do? */
function meansTheSame(bytes: Buffer, scan: ReturnType<typeof scanCsv>): boolean {
  const { lineFeeds, carriageReturns, emptyLines } = scan
  const isMixed = carriageReturns > 0 && carriageReturns < lineFeeds
  if (emptyLines > 0 || isMixed || hasEndMark(bytes)) return false
  if (carriageReturns > 0) return bytes.at(-1) !== CARRIAGE_RETURN
  // Outside quotes, PostgreSQL takes a lone carriage return for a mistake.
  return !bytes.includes(CARRIAGE_RETURN)
}

/** Servers before version 18 take a line of `\.` for the end, and drop what follows. */
function hasEndMark(bytes: Buffer): boolean {
  return bytes.includes('\\.') && /^\\\.\r?$/m.test(bytes.toString('latin1'))
}

/** A trigger may leave rows out on purpose; otherwise the server must have seen what we saw. */
function checkCount({ label, hasTriggers }: Table, copied: number, sent: number): void {
  if (hasTriggers || copied === sent) return
  throw new FailedError(
    'ROW_COUNT_DIFFERS',
    `PostgreSQL counted ${copied} rows for "${label}" where the file has ${sent} records; nothing ` +
      'of them was stored. Please report it, with the file.',
    { facts: { table: label, copied, sent } },
  )
}
