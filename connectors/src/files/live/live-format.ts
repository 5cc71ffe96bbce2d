import type { Column } from '@millrace/processors'
import { type CsvBlock, badQuote, csvBlock, cutAfter } from '../csv/csv-blocks.ts'
import { guessDelimiter, nameColumns } from '../csv/csv-columns.ts'
import { CsvDecoder } from '../csv/csv-decoder.ts'
import { splitExactly } from '../csv/csv-records.ts'
import { scanCsv } from '../csv/csv-scan.ts'
import type { CsvOptions } from '../csv/csv.ts'
import { decodeLines, lenientLines } from '../ndjson/ndjson-decoder.ts'
import { type Block, findLastLine } from '../text/block-cutter.ts'
import type { FileRecord } from '../text/lenient-decoder.ts'
import { countLineFeeds, placeIn } from '../text/line-number.ts'
import { requireUtf8 } from '../text/require-utf8.ts'

/** How records of a live input are found and read; one for each file, since each may begin with a header. */
export interface LiveFormat {
  readonly findEnd: (bytes: Buffer, isLast: boolean) => number
  rows(block: Block): Promise<FileRecord[]>
}

/** What a file has before its first record, as its position keeps it: CSV's header. */
export type LiveHeader = { readonly delimiter: string; readonly names: readonly string[] }

/** JSON lines. */
export function liveNdjson(path: string, isLenient: boolean): LiveFormat {
  const lenient = isLenient ? lenientLines(path) : undefined
  return {
    findEnd: findLastLine,
    rows: (cut) => {
      const block = withoutMark(cut)
      return lenient?.rows(block) ?? decodeLines(path, block)
    },
  }
}

/**
 * CSV whose types can't be looked for in rows that are not there yet: columns are text unless
 * `columns` says otherwise.
 */
export class LiveCsv implements LiveFormat {
  readonly #path: string
  readonly #options: CsvOptions
  #header: LiveHeader | undefined
  readonly #isLenient: boolean
  #decode: ((block: CsvBlock) => Promise<FileRecord[]>) | undefined

  /** @param header when the file's was read before. */
  constructor(path: string, options: CsvOptions, isLenient: boolean, header?: LiveHeader) {
    this.#path = path
    this.#options = options
    this.#isLenient = isLenient
    if (header !== undefined) this.#begin(header)
  }

  get header(): LiveHeader | undefined {
    return this.#header
  }

  readonly findEnd = (bytes: Buffer, isLast: boolean): number => {
    const dialect = this.#dialect(this.#header?.delimiter ?? firstDelimiter(bytes))
    return cutAfter(scanCsv(bytes, dialect, isLast), bytes, isLast)
  }

  async rows(cut: Block): Promise<FileRecord[]> {
    let block = withoutMark(cut)
    if (this.#decode === undefined) block = await this.#readHeader(block)
    if (block.bytes.length === 0 || this.#decode === undefined) return []
    return this.#decode(this.#scanned(block, this.#header?.delimiter ?? ','))
  }

  #scanned(block: Block, delimiter: string): CsvBlock {
    return csvBlock(block, scanCsv(block.bytes, this.#dialect(delimiter), true))
  }

  async #readHeader(block: Block): Promise<Block> {
    const { broken } = this.#scanned(block, firstDelimiter(block.bytes))
    if (broken) throw badQuote(await placeIn(this.#path, block, block.byte + broken.at), broken)
    const { header = true, columns = {} } = this.#options
    const dialect = this.#dialect(this.#options.delimiter ?? firstDelimiter(block.bytes))
    const [first] = splitExactly(block.bytes.toString('utf8'), dialect)
    if (first === undefined) return block
    const names = nameColumns(
      this.#path,
      header ? first.record : undefined,
      columns,
      first.record.length,
    )
    this.#begin({ delimiter: dialect.delimiter, names })
    return withoutHeader(this.#path, block, header ? first.info.bytes : 0)
  }

  #begin(header: LiveHeader): void {
    const { columns: declared = {} } = this.#options
    const columns = header.names.map((name): Column => {
      const type = Object.hasOwn(declared, name) ? declared[name] : undefined
      return { name, type: type ?? 'string', nullable: true }
    })
    this.#header = header
    const dialect = this.#dialect(header.delimiter)
    const decoder = new CsvDecoder(this.#path, { columns, dialect })
    const lenient = this.#isLenient ? decoder.lenient() : undefined
    this.#decode = (block) => lenient?.rows(block) ?? decoder.decode(block)
  }

  #dialect(delimiter: string): { delimiter: string; quote: string; null: string } {
    const { quote = '"', null: nullText = '' } = this.#options
    return { delimiter: this.#options.delimiter ?? delimiter, quote, null: nullText }
  }
}

/** @throws RejectedError its length was taken from its text, which is not what its bytes say. */
async function withoutHeader(path: string, block: Block, length: number): Promise<Block> {
  const bytes = block.bytes.subarray(0, length)
  await requireUtf8(path, { ...block, bytes })
  const { line } = block
  return {
    ...block,
    bytes: block.bytes.subarray(length),
    byte: block.byte + length,
    ...(line !== undefined && { line: line + countLineFeeds(bytes) }),
  }
}

function firstDelimiter(bytes: Buffer): string {
  const end = bytes.indexOf(0x0a)
  return guessDelimiter(bytes.toString('utf8', 0, end < 0 ? bytes.length : end))
}

/** Without the byte order mark that a file may begin with. */
function withoutMark(block: Block): Block {
  const { bytes } = block
  const hasMark = block.byte === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return hasMark ? { ...block, byte: 3, bytes: bytes.subarray(3) } : block
}
