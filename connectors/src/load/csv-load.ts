import { RejectedError } from '@millrace/core'
import type { Json } from '@millrace/processors'
import type { CsvReader } from '../files/csv/csv.ts'
import type { CsvBlock, CsvBlocks } from '../files/csv/csv-blocks.ts'
import type { CsvTask } from '../postgres/csv-passthrough.ts'
import { CsvLineRefused, isRefusedRecord } from '../postgres/csv-passthrough.ts'
import type { LoadPosition } from './load-position.ts'
import type { Transfer } from './row-load.ts'
import { nextStep } from './row-load.ts'

const CARRIAGE_RETURN = 0x0d

/** Line ends of a block that may pass as it is; PostgreSQL wants one kind in a COPY. */
type LineEnd = 'lf' | 'crlf'

/** Passes a CSV file's records to the server as they stand, in transactions of whole blocks. */
export async function passCsv(transfer: Transfer<CsvReader, CsvTask>): Promise<void> {
  const passage = new Passage(transfer)
  try {
    while (await passage.next()) {}
  } finally {
    passage.close()
  }
}

/**
 * States: clean (all records before `#byte` are stored) ⇄ feeding (blocks after it were taken for a
 * transaction that has not committed). A retry while feeding starts again at `#byte`.
 */
class Passage {
  readonly #transfer: Transfer<CsvReader, CsvTask>
  #byte: number
  #rows: number
  #blocks: CsvBlocks | undefined
  /** Read, and not taken yet. */
  #ahead: CsvBlock | undefined
  #isFeeding = false

  constructor(transfer: Transfer<CsvReader, CsvTask>) {
    this.#transfer = transfer
    const { byte, rows } = transfer.reader.start
    this.#byte = byte
    this.#rows = rows
  }

  /** One transaction; false at the end of the file, or once the signal has fired. */
  async next(): Promise<boolean> {
    if (this.#transfer.signal.aborted) return false
    const block = await this.#peek()
    if (!block) return false
    const lineEnd = passableLineEnd(block)
    if (lineEnd) await this.#pass(lineEnd)
    else await this.#write(block)
    return true
  }

  close(): void {
    this.#blocks?.close()
    this.#blocks = undefined
  }

  async #pass(lineEnd: LineEnd): Promise<void> {
    const { reader, task } = this.#transfer
    let end = { byte: this.#byte, rows: this.#rows }
    try {
      await task.copyCsv({
        columns: reader.columns.map((column) => column.name),
        dialect: reader.dialect,
        feed: async (send) => {
          end = await this.#feed(send, lineEnd)
          return { records: end.rows - this.#rows, position: this.#position(end) }
        },
      })
    } catch (error) {
      throw error instanceof CsvLineRefused ? await this.#refused(error) : error
    }
    this.#stored(end)
  }

  async #feed(
    send: (bytes: Buffer) => Promise<void>,
    lineEnd: LineEnd,
  ): Promise<{ byte: number; rows: number }> {
    const { meter, signal, transactionBytes } = this.#transfer
    if (this.#isFeeding) this.#startAgain()
    this.#isFeeding = true
    let { byte, rows } = { byte: this.#byte, rows: this.#rows }
    while (byte - this.#byte < transactionBytes && !(signal.aborted && byte > this.#byte)) {
      const block = await this.#peek()
      if (!block || passableLineEnd(block) !== lineEnd) break
      this.#ahead = undefined
      await send(block.bytes)
      byte = block.byte + block.bytes.length
      rows += block.scan.records
      meter.moved(rows, this.#blocks?.storedBytes ?? byte)
    }
    return { byte, rows }
  }

  /** What PostgreSQL would read otherwise than we do goes there as rows. */
  async #write(block: CsvBlock): Promise<void> {
    const { reader, task, meter } = this.#transfer
    const values = await reader.decode(block)
    const end = {
      byte: block.byte + block.bytes.length,
      rows: this.#rows + values.length,
    }
    this.#ahead = undefined
    const keys = values.map(() => null)
    await task.write({ size: values.length, keys, values, position: this.#position(end) })
    meter.moved(end.rows, this.#blocks?.storedBytes ?? end.byte)
    this.#stored(end)
  }

  async #peek(): Promise<CsvBlock | undefined> {
    this.#blocks ??= await this.#transfer.reader.openBlocks(this.#byte)
    this.#ahead ??= await this.#blocks.next()
    return this.#ahead
  }

  #startAgain(): void {
    this.close()
    this.#ahead = undefined
  }

  #stored({ byte, rows }: { readonly byte: number; readonly rows: number }): void {
    this.#byte = byte
    this.#rows = rows
    this.#isFeeding = false
  }

  #position({ byte, rows }: { readonly byte: number; readonly rows: number }): Json {
    const source = this.#transfer.reader.positionAt(byte, rows)
    return { rows, source } satisfies LoadPosition
  }

  async #refused(error: CsvLineRefused): Promise<RejectedError> {
    const { reader } = this.#transfer
    const place = await reader.findRecord(this.#byte, isRefusedRecord(error))
    const column = error.column === undefined ? '' : `, column ${error.column}`
    return new RejectedError(
      'RECORD_INVALID',
      `${place.path}, line ${place.line} (byte ${place.byte})${column}: ${error.message}. ` +
        nextStep(this.#rows),
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
