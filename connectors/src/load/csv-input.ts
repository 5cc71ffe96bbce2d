import { isUtf8 } from 'node:buffer'
import type { Column } from '@millrace/processors'
import { splitExactly, splitRecords } from '../files/csv/csv-records.ts'
import type { CsvReader } from '../files/csv/csv-reader.ts'
import type { CsvBlock } from '../files/csv/csv-blocks.ts'
import type { FileIdentity } from '../files/file-identity.ts'
import type { BlockLines } from '../files/text/line-number.ts'
import { LineCounter } from '../files/text/line-number.ts'
import { csvSpans } from '../files/text/record-spans.ts'
import { copyCsv } from '../postgres/csv-copy.ts'
import type { Refusal } from '../postgres/refused-rows.ts'
import type { Session } from '../postgres/session.ts'
import type { Table } from '../postgres/table.ts'
import type { Chunk, ChunkRows, RecordPlace } from './chunk.ts'
import type { MappedColumn } from './column-mapping.ts'
import { mapColumns, writtenColumns } from './column-mapping.ts'
import type { Cutting, Input } from './input.ts'
import type { Range } from './ranges.ts'

/** A CSV file; its records go to the server without being made rows of. */
export class CsvInput implements Input {
  readonly format = 'csv'
  readonly isSample = false
  readonly path: string
  readonly identity: FileIdentity
  readonly columns: readonly Column[]
  readonly start: number
  readonly header: Buffer
  readonly reader: CsvReader
  readonly mapped: readonly MappedColumn[]
  readonly lines: LineCounter
  readonly #cutting: Cutting

  private constructor(reader: CsvReader, header: Buffer, cutting: Cutting) {
    this.header = header
    this.path = reader.path
    this.lines = new LineCounter(reader.path)
    this.identity = reader.identity
    this.mapped = mapColumns(reader.path, reader.columns, cutting.mapping)
    this.columns = writtenColumns(this.mapped)
    this.start = reader.start.byte
    this.reader = reader
    this.#cutting = cutting
  }

  static async open(reader: CsvReader, cutting: Cutting): Promise<CsvInput> {
    return new CsvInput(reader, await reader.readHeader(), cutting)
  }

  storedBytes(length: number): number {
    return this.reader.isCompressed ? 0 : length
  }

  async *chunks(from: number, until: number): AsyncGenerator<Chunk> {
    const { chunkBytes, buffers } = this.#cutting
    const blocks = await this.reader.openBlocks(from, {
      endByte: until,
      blockBytes: chunkBytes,
      buffers,
    })
    let storedBytes = this.storedBytes(from)
    try {
      for (let block = await blocks.next(); block; block = await blocks.next()) {
        const isLast = block.isLast && until === Infinity
        const read = this.reader.isCompressed ? blocks.storedBytes : block.byte + block.bytes.length
        yield new CsvChunk(this, block, isLast, read - storedBytes, buffers)
        storedBytes = read
      }
    } finally {
      blocks.close()
    }
  }

  close(): Promise<void> {
    return this.reader.close()
  }
}

class CsvChunk implements Chunk {
  readonly range: Range
  readonly isLast: boolean
  readonly storedBytes: number
  readonly #input: CsvInput
  readonly #block: CsvBlock
  readonly #buffers: Cutting['buffers']

  constructor(
    input: CsvInput,
    block: CsvBlock,
    isLast: boolean,
    storedBytes: number,
    buffers: Cutting['buffers'],
  ) {
    this.#input = input
    this.#block = block
    this.range = [block.byte, block.byte + block.bytes.length]
    this.isLast = isLast
    this.storedBytes = storedBytes
    this.#buffers = buffers
  }

  copy(session: Session, table: Table): Promise<number | undefined> {
    const { reader, mapped } = this.#input
    const columns = mapped.map(({ column }) => column?.name)
    return copyCsv(session, table, { bytes: this.#block.bytes, dialect: reader.dialect, columns })
  }

  async rows(): Promise<ChunkRows> {
    return new CsvRows(this.#input, this.#block)
  }

  giveBack(): void {
    this.#buffers.give(this.#block.bytes)
  }
}

type Fields = readonly (string | null)[]

/** The slow way: each record apart, its fields as text that the server reads. */
class CsvRows implements ChunkRows {
  readonly values: readonly Readonly<Record<string, unknown>>[]
  readonly textColumns: readonly string[]
  readonly malformed = new Map<number, Refusal>()
  readonly #input: CsvInput
  readonly #block: CsvBlock
  readonly #places: readonly Range[]
  readonly #lines: BlockLines

  constructor(input: CsvInput, block: CsvBlock) {
    this.#input = input
    this.#block = block
    this.textColumns = input.columns.map(({ name }) => name)
    this.#places = csvSpans(block.bytes, input.reader.dialect.quote)
    this.#lines = input.lines.inBlock(block)
    const fields = this.#allFields()
    this.values = this.#places.map((place, index) => this.#row(place, index, fields?.[index]))
  }

  original(index: number): Buffer {
    return this.#block.bytes.subarray(...(this.#places[index] as Range))
  }

  async place(index: number): Promise<RecordPlace> {
    const [start] = this.#places[index] as Range
    const { path, line, byte } = await this.#lines(start)
    return { file: path, line, byte }
  }

  /** All records at once, which is faster; undefined when one must be looked at apart. */
  #allFields(): Fields[] | undefined {
    const { bytes, scan } = this.#block
    if (!isUtf8(bytes)) return undefined
    const { records, nullText } = splitRecords(
      bytes.toString('utf8'),
      scan,
      this.#input.reader.dialect,
    )
    if (records.length !== this.#places.length) return undefined
    return records.map((fields) => fields.map((field) => (field === nullText ? null : field)))
  }

  #fieldsOf([start, end]: Range): Fields | undefined {
    const bytes = this.#block.bytes.subarray(start, end)
    if (!isUtf8(bytes)) return undefined
    return splitExactly(bytes.toString('utf8'), this.#input.reader.dialect)[0]?.record
  }

  #row(place: Range, index: number, known: Fields | undefined): Readonly<Record<string, unknown>> {
    const { mapped } = this.#input
    const fields = known ?? this.#fieldsOf(place)
    if (!fields) {
      this.malformed.set(index, refusal('22021', notUtf8))
      return {}
    }
    if (fields.length !== mapped.length) {
      const found = `${fields.length} ${fields.length === 1 ? 'field' : 'fields'}`
      this.malformed.set(index, refusal('22P04', `${found} where there should be ${mapped.length}`))
      return {}
    }
    const row: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    for (const [c, { column }] of mapped.entries()) if (column) row[column.name] = fields[c]
    return row
  }
}

/** Most often it is the whole file. */
const notUtf8 = 'the record is not UTF-8 (to convert a file: iconv -f LATIN1 -t UTF-8)'

function refusal(code: string, cause: string): Refusal {
  return { code, cause, column: undefined }
}
