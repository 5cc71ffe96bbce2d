import { RejectedError } from '@millrace/core'
import type { Json } from '@millrace/processors'
import { CsvReader } from '../files/csv/csv-reader.ts'
import type { CsvBlock, CsvBlocks } from '../files/csv/csv-blocks.ts'
import type { CsvPassage, CsvTask } from '../postgres/csv-passthrough.ts'
import { CsvLineRefused, isCsvTask, isRefusedRecord } from '../postgres/csv-passthrough.ts'
import type { CsvText, CsvTextDialect } from '../postgres/csv-transcoder.ts'
import type { LoadPosition } from './load-position.ts'
import type { Transfer } from './row-load.ts'
import { nextStep } from './row-load.ts'

const CARRIAGE_RETURN = 0x0d

type CsvTransfer = Transfer<CsvReader, CsvTask>

/** Is this CSV on its way to something that takes it unparsed? */
export function canPassCsv(transfer: Transfer): transfer is CsvTransfer {
  const { reader, task } = transfer
  return reader instanceof CsvReader && reader.dialect.quote !== '' && isCsvTask(task)
}

/** Passes a CSV file's records on without making rows of them, in transactions of whole blocks. */
export async function passCsv(transfer: CsvTransfer): Promise<void> {
  const load = new CsvLoad(transfer)
  try {
    while (await load.next()) {}
  } finally {
    load.close()
  }
}

/** Line ends of a block that may be passed on; PostgreSQL wants one kind in a COPY. */
type LineEnd = 'lf' | 'crlf'

/** The next record's byte, and the rows before it. */
interface Place {
  readonly byte: number
  readonly rows: number
}

/**
 * States: clean (`#sent` is `#stored`) ⇄ sending (blocks between the two are in a transaction that
 * has not committed). A transaction that begins while sending is a retry, and goes back to `#stored`.
 */
class CsvLoad implements CsvPassage {
  readonly columns: readonly string[]
  readonly dialect: CsvTextDialect
  readonly #transfer: CsvTransfer
  #stored: Place
  #sent: Place
  #blocks: CsvBlocks | undefined
  /** Read, and not sent yet. */
  #ahead: CsvBlock | undefined
  #lineEnd: LineEnd | undefined

  constructor(transfer: CsvTransfer) {
    const { reader } = transfer
    this.#transfer = transfer
    this.columns = reader.columns.map((column) => column.name)
    this.dialect = reader.dialect
    this.#stored = reader.start
    this.#sent = reader.start
  }

  /** One transaction; false at the end of the file, or once the signal has fired. */
  async next(): Promise<boolean> {
    if (this.#transfer.signal.aborted) return false
    const block = await this.#readAhead()
    if (!block) return false
    this.#lineEnd = passableLineEnd(block)
    if (this.#lineEnd) await this.#pass()
    else await this.#write(block)
    this.#stored = this.#sent
    return true
  }

  close(): void {
    this.#blocks?.close()
    this.#blocks = undefined
    this.#ahead = undefined
  }

  begin(): void {
    if (this.#sent === this.#stored) return
    this.close()
    this.#sent = this.#stored
  }

  async peek(): Promise<CsvText | undefined> {
    const { transactionBytes, signal } = this.#transfer
    const bytes = this.#sent.byte - this.#stored.byte
    if (bytes >= transactionBytes || (signal.aborted && bytes > 0)) return undefined
    const block = await this.#readAhead()
    if (!block || passableLineEnd(block) !== this.#lineEnd) return undefined
    return { bytes: block.bytes, records: block.scan.records }
  }

  take({ bytes, records }: CsvText): void {
    this.#ahead = undefined
    this.#sent = { byte: this.#sent.byte + bytes.length, rows: this.#sent.rows + records }
    this.#transfer.meter.moved(this.#sent.rows, this.#blocks?.storedBytes ?? 0)
  }

  get position(): Json {
    const { byte, rows } = this.#sent
    const source = this.#transfer.reader.positionAt(byte, rows)
    return { rows, source } satisfies LoadPosition
  }

  async #pass(): Promise<void> {
    try {
      await this.#transfer.task.copyCsv(this)
    } catch (error) {
      throw error instanceof CsvLineRefused ? await this.#refused(error) : error
    }
  }

  /** What PostgreSQL would read otherwise than we do goes there as rows. */
  async #write(block: CsvBlock): Promise<void> {
    const { reader, task } = this.#transfer
    const values = await reader.decode(block)
    this.take({ bytes: block.bytes, records: values.length })
    const keys = values.map(() => null)
    await task.write({ size: values.length, keys, values, position: this.position })
  }

  async #readAhead(): Promise<CsvBlock | undefined> {
    this.#blocks ??= await this.#transfer.reader.openBlocks(this.#sent.byte)
    this.#ahead ??= await this.#blocks.next()
    return this.#ahead
  }

  async #refused(error: CsvLineRefused): Promise<RejectedError> {
    const { byte, rows } = this.#stored
    const place = await this.#transfer.reader.findRecord(byte, isRefusedRecord(error))
    const isNamed = error.column === undefined || error.message.includes(`"${error.column}"`)
    const column = isNamed ? '' : `, column "${error.column}"`
    return new RejectedError(
      'ROW_REFUSED',
      `${place.path}, line ${place.line} (byte ${place.byte})${column}: ${error.message}. ` +
        nextStep(rows),
      { cause: error, facts: { file: place.path, line: place.line, byte: place.byte } },
    )
  }
}

/** The line ends of a block that PostgreSQL reads as we do; undefined when it must be parsed here. */
function passableLineEnd({ bytes, scan }: CsvBlock): LineEnd | undefined {
  const { lineFeeds, carriageReturns, emptyLines } = scan
  const isMixed = carriageReturns > 0 && carriageReturns < lineFeeds
  if (emptyLines > 0 || isMixed || hasEndMark(bytes)) return undefined
  if (carriageReturns > 0) return 'crlf'
  // Outside quotes, PostgreSQL takes a lone carriage return for a mistake.
  return bytes.includes(CARRIAGE_RETURN) ? undefined : 'lf'
}

/** Servers before version 18 take a line of `\.` for the end, and drop what follows. */
function hasEndMark(bytes: Buffer): boolean {
  return bytes.includes('\\.') && /^\\\.\r?$/m.test(bytes.toString('latin1'))
}
