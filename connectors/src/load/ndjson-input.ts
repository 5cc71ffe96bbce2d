import { isUtf8 } from 'node:buffer'
import type { Column } from '@millrace/processors'
import { parseExactly } from '../exact-number.ts'
import type { FileIdentity } from '../files/file-identity.ts'
import { malformed } from '../files/input-error.ts'
import type { NdjsonReader } from '../files/ndjson/ndjson-reader.ts'
import { parseObject } from '../files/ndjson/ndjson-decoder.ts'
import type { Block } from '../files/text/block-cutter.ts'
import { BlockCutter, RecordTooLong, findLastLine } from '../files/text/block-cutter.ts'
import type { BlockLines } from '../files/text/line-number.ts'
import { LineCounter, placeAt } from '../files/text/line-number.ts'
import { lineSpans } from '../files/text/record-spans.ts'
import { copyJson } from '../postgres/json-copy.ts'
import type { JsonShape } from '../postgres/json-copy.ts'
import type { Row } from '../postgres/row-encoder.ts'
import type { Session } from '../postgres/session.ts'
import type { Table } from '../postgres/table.ts'
import type { Refusal } from '../postgres/refused-rows.ts'
import type { Chunk, ChunkRows, RecordPlace } from './chunk.ts'
import type { Cutting, Input } from './input.ts'
import type { Range } from './ranges.ts'
import { mapSample, rowMapping } from './row-mapping.ts'

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** A file of JSON objects, one a line. */
export class NdjsonInput implements Input {
  readonly format = 'ndjson'
  readonly isSample = true
  readonly start = 0
  readonly header = Buffer.alloc(0)
  readonly path: string
  readonly identity: FileIdentity
  readonly columns: readonly Column[]
  readonly mapRow: ReturnType<typeof rowMapping>
  readonly lines: LineCounter
  readonly #reader: NdjsonReader
  readonly #cutting: Cutting
  /** Of the table that it was last asked for. */
  #shape: { readonly table: Table; readonly shape: JsonShape | undefined } | undefined

  constructor(reader: NdjsonReader, cutting: Cutting) {
    this.path = reader.path
    this.lines = new LineCounter(reader.path)
    this.identity = reader.identity
    this.columns = mapSample(reader.columns, cutting.mapping)
    this.mapRow = rowMapping(cutting.mapping)
    this.#reader = reader
    this.#cutting = cutting
  }

  /** What goes where in a table; undefined when rows must tell. */
  shapeFor(table: Table): JsonShape | undefined {
    if (this.#shape?.table !== table) this.#shape = { table, shape: this.#shapeOf(table) }
    return this.#shape.shape
  }

  #shapeOf(table: Table): JsonShape | undefined {
    const { rename = {}, skip = [] } = this.#cutting.mapping
    const sampled = new Set(this.columns.map(({ name }) => name))
    // What no line of the sample has becomes null, except where the server has a value of its own.
    const columns = table.columns.filter(
      ({ name, hasDefault, isGenerated }) => !isGenerated && (sampled.has(name) || !hasDefault),
    )
    const places = new Map(columns.map(({ name }, index) => [name, index]))
    if ([...sampled].some((name) => !places.has(name))) return undefined
    const properties = new Map<string, number>()
    for (const [name, place] of places) {
      if (!Object.hasOwn(rename, name)) properties.set(name, place)
    }
    for (const [from, to] of Object.entries(rename)) {
      const place = places.get(to)
      if (place !== undefined) properties.set(from, place)
    }
    for (const name of skip) properties.set(name, -1)
    return { columns, properties }
  }

  storedBytes(length: number): number {
    return this.#reader.isCompressed ? 0 : length
  }

  async *chunks(from: number, until: number): AsyncGenerator<Chunk> {
    const { chunkBytes, buffers } = this.#cutting
    const bytes = await this.#reader.openBytes(from, until)
    const maxRecordBytes = Math.max(this.#reader.maxRecordBytes, chunkBytes)
    const limits = { blockBytes: chunkBytes, maxRecordBytes, buffers }
    const cutter = new BlockCutter(bytes, from, findLastLine, limits)
    let storedBytes = this.storedBytes(from)
    try {
      for (let block = await cutter.next(); block; block = await cutter.next()) {
        const isLast = block.isLast && until === Infinity
        const read = bytes.isCompressed ? bytes.storedBytes : block.byte + block.bytes.length
        yield new NdjsonChunk(this, block, isLast, read - storedBytes, buffers)
        storedBytes = read
      }
    } catch (error) {
      if (!(error instanceof RecordTooLong)) throw error
      const reason = `a line longer than ${maxRecordBytes} bytes begins here`
      throw malformed(
        await placeAt(this.path, error.byte),
        reason,
        'Raise maxRecordBytes if that is meant.',
      )
    } finally {
      bytes.close()
    }
  }

  close(): Promise<void> {
    return this.#reader.close()
  }
}

class NdjsonChunk implements Chunk {
  readonly range: Range
  readonly isLast: boolean
  readonly storedBytes: number
  readonly #input: NdjsonInput
  readonly #block: Block
  readonly #buffers: Cutting['buffers']

  constructor(
    input: NdjsonInput,
    block: Block,
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

  async copy(session: Session, table: Table): Promise<number | undefined> {
    const shape = this.#input.shapeFor(table)
    if (shape === undefined) return undefined
    const { bytes, byte } = this.#block
    const names = new Set(shape.columns.map(({ name }) => name))
    const read = (line: Buffer): Row | undefined => {
      const row = rowOf(line)
      const mapped = row && this.#input.mapRow ? this.#input.mapRow(row) : row
      return mapped && Object.keys(mapped).every((name) => names.has(name)) ? mapped : undefined
    }
    return copyJson(session, table, { bytes: withoutMark(bytes, byte), shape, read })
  }

  async rows(): Promise<ChunkRows> {
    return new NdjsonRows(this.#input, this.#block)
  }

  giveBack(): void {
    this.#buffers.give(this.#block.bytes)
  }
}

class NdjsonRows implements ChunkRows {
  readonly values: readonly Readonly<Record<string, unknown>>[]
  readonly textColumns = undefined
  readonly malformed = new Map<number, Refusal>()
  readonly #block: Block
  /** Where each line begins, and where the last ends. */
  readonly #places: readonly Range[]
  readonly #lines: BlockLines

  constructor(input: NdjsonInput, block: Block) {
    this.#block = block
    const { bytes, byte } = block
    this.#places = lineSpans(bytes, bytes.length - withoutMark(bytes, byte).length)
    this.#lines = input.lines.inBlock(block)
    const values = this.#places.map(([start, end], index) => this.#row(start, end, index))
    this.values = input.mapRow ? values.map(input.mapRow) : values
  }

  original(index: number): Buffer {
    return this.#block.bytes.subarray(...(this.#places[index] as Range))
  }

  async place(index: number): Promise<RecordPlace> {
    const [start] = this.#places[index] as Range
    const { path, line, byte } = await this.#lines(start)
    return { file: path, line, byte }
  }

  #row(start: number, end: number, index: number): Readonly<Record<string, unknown>> {
    const bytes = this.#block.bytes.subarray(start, end)
    try {
      if (!isUtf8(bytes)) throw new TypeError('it is not UTF-8')
      return parseObject(bytes.toString('utf8'), parseExactly)
    } catch (error) {
      const cause = `not valid JSON (${error instanceof Error ? error.message : String(error)})`
      this.malformed.set(index, { code: '22P02', cause, column: undefined })
      return {}
    }
  }
}

/** Undefined when the line is no object. */
function rowOf(line: Buffer): Row | undefined {
  try {
    return isUtf8(line) ? parseObject(line.toString('utf8'), parseExactly) : undefined
  } catch {
    return undefined
  }
}

function withoutMark(bytes: Buffer, blockByte: number): Buffer {
  const hasMark = blockByte === 0 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)
  return hasMark ? bytes.subarray(3) : bytes
}
