import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { ColumnMetaData, PageHeader } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'
import { readExactly } from '../file-identity.ts'
import type { PageValues } from './page-values.ts'

const WINDOW_BYTES = 256 * 1024
// Writers make pages of about 1 MB. Without a limit a few bytes can claim, by compression or
// repetition, more than the machine has.
const PAGE_BYTES_MAX = 256 * 1024 * 1024
const PAGE_VALUES_MAX = 2 ** 25

/**
 * The values of one column in one row group, page by page, so that memory is bound by the page and
 * not by the row group. Only for columns without nesting.
 */
export class ColumnPages {
  readonly #file: FileHandle
  readonly #chunk: ColumnMetaData
  readonly #values: PageValues
  #position: number
  readonly #end: number
  #window: Buffer<ArrayBuffer> = Buffer.from(new ArrayBuffer(0))
  #windowStart = 0
  #dictionary: ArrayLike<unknown> | undefined

  constructor(file: FileHandle, chunk: ColumnMetaData, values: PageValues) {
    this.#file = file
    this.#chunk = chunk
    this.#values = values
    this.#position = chunkStart(chunk)
    this.#end = this.#position + Number(chunk.total_compressed_size)
  }

  /** Passes over whole pages, at most `rows` rows; resolves with the rows passed. */
  async skip(rows: number): Promise<number> {
    let passed = 0
    while (this.#position < this.#end) {
      const start = this.#position
      const header = await this.#nextHeader()
      const size = pageRows(header)
      if (size === undefined) {
        await this.#takeDictionary(header)
        continue
      }
      if (passed + size > rows) {
        this.#position = start
        return passed
      }
      this.#position += header.compressed_page_size
      passed += size
    }
    return passed
  }

  /** Values of the next page, nulls included, good until the next call; undefined at the end. */
  async next(): Promise<ArrayLike<unknown> | undefined> {
    while (this.#position < this.#end) {
      const header = await this.#nextHeader()
      if (pageRows(header) === undefined) {
        await this.#takeDictionary(header)
        continue
      }
      const bytes = await this.#takePage(header)
      return this.#values.values(header, bytes, this.#chunk, this.#dictionary)
    }
    return undefined
  }

  async #takeDictionary(header: PageHeader): Promise<void> {
    const bytes = await this.#takePage(header)
    if (header.type !== 'DICTIONARY_PAGE') return
    this.#dictionary = this.#values.dictionary(header, bytes, this.#chunk)
  }

  async #nextHeader(): Promise<PageHeader> {
    for (let length = WINDOW_BYTES; ; length *= 4) {
      const isWhole = this.#position + length >= this.#end
      const bytes = await this.#peek(Math.min(length, this.#end - this.#position))
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const reader = { view, offset: 0 }
      try {
        const header = parquetHeader(reader)
        requireBounded(header)
        this.#position += reader.offset
        return header
      } catch (error) {
        // A RangeError means that the header goes on past the window.
        if (isWhole || !(error instanceof RangeError) || error instanceof PageTooLarge) throw error
      }
    }
  }

  /** The bytes of a page, which are what was written where the writer says a checksum. */
  async #takePage({ compressed_page_size: length, crc }: PageHeader): Promise<Uint8Array> {
    const start = this.#position
    const bytes = await this.#take(length)
    if (crc === undefined || crc32(bytes) === crc >>> 0) return bytes
    throw new RangeError(`the page at byte ${start} is not what was written (checksum)`)
  }

  async #take(length: number): Promise<Uint8Array> {
    const bytes = await this.#peek(length)
    this.#position += length
    return bytes
  }

  /** The next `length` bytes, through a window so that small pages cost no read each. */
  async #peek(length: number): Promise<Uint8Array> {
    const from = this.#position - this.#windowStart
    if (from >= 0 && from + length <= this.#window.length) {
      return this.#window.subarray(from, from + length)
    }
    const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.#end - this.#position)
    this.#window = await readExactly(this.#file, this.#position, wanted)
    this.#windowStart = this.#position
    if (length > this.#window.length) throw new RangeError('a page goes on past its column')
    return this.#window.subarray(0, length)
  }
}

class PageTooLarge extends RangeError {}

/** Before anything of a page's size is allocated. */
function requireBounded(header: PageHeader): void {
  const { compressed_page_size: stored, uncompressed_page_size: size } = header
  const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: words } = header
  const values = v1?.num_values ?? v2?.num_values ?? words?.num_values ?? 0
  if (stored < 0 || size < 0 || values < 0) throw new PageTooLarge('a page has a negative size')
  if (size > PAGE_BYTES_MAX || values > PAGE_VALUES_MAX) {
    throw new PageTooLarge(
      `a page claims ${values} values in ${size} bytes; ` +
        `at most ${PAGE_VALUES_MAX} in ${PAGE_BYTES_MAX} are read`,
    )
  }
}

function chunkStart({
  dictionary_page_offset: dictionary,
  data_page_offset: data,
}: ColumnMetaData) {
  return Number(
    dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data,
  )
}

function pageRows(header: PageHeader): number | undefined {
  return header.data_page_header?.num_values ?? header.data_page_header_v2?.num_rows
}
