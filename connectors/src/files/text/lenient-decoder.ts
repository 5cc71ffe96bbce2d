import { MillraceError } from '@millrace/core'
import { MalformedRecord } from '@millrace/processors'
import type { FileRow } from '../row-maker.ts'
import type { Block } from './block-cutter.ts'
import { countLineFeeds, placeAt } from './line-number.ts'
import { type Span, withoutLineEnd } from './record-spans.ts'

/** A row, or a record that is none. */
export type FileRecord = FileRow | MalformedRecord

/** How blocks of a format are read. */
export interface BlockFormat<B extends Block> {
  /** @throws RejectedError INPUT_MALFORMED at the first record that is no row. */
  decode(block: B): Promise<FileRow[]>
  /** Where the records of a block lie in its bytes. */
  spans(block: B): Span[]
  /** Some records of a block, as a block. */
  part(block: Block): B
}

/**
 * Reads blocks of text, and gives records that are no rows as {@link MalformedRecord} instead of ending
 * there. A block is read as a whole; only one that can't be is halved, until the records at fault are alone.
 */
export class LenientDecoder<B extends Block> {
  readonly #path: string
  readonly #format: BlockFormat<B>
  #firstByte: number | undefined
  /** Line that the first block begins on; the file is read up to there only when somebody asks, and once. */
  #firstLine: number | undefined
  #linesPassed = 0

  constructor(path: string, format: BlockFormat<B>) {
    this.#path = path
    this.#format = format
  }

  /** Blocks are given in order, and none is left out. */
  async rows(block: B): Promise<FileRecord[]> {
    this.#firstByte ??= block.byte
    // Which line it is may take long to find out, and is of interest only where something is wrong.
    const rows = await this.#decode({ ...block, line: 1 })
    const records = rows instanceof MalformedRecord ? await this.#apart(block) : rows
    this.#linesPassed += countLineFeeds(block.bytes)
    return records
  }

  async #apart(block: B): Promise<FileRecord[]> {
    const line = block.line ?? (await this.#readFirstLine()) + this.#linesPassed
    const spans = this.#format.spans(block)
    const [from] = spans[0] ?? [0]
    return this.#halve(block, spans, line + countLineFeeds(block.bytes.subarray(0, from)))
  }

  async #readFirstLine(): Promise<number> {
    this.#firstLine ??= (await placeAt(this.#path, this.#firstByte ?? 0)).line
    return this.#firstLine
  }

  /** @param line On which the first of the records begins. */
  async #halve(block: Block, spans: readonly Span[], line: number): Promise<FileRecord[]> {
    const [from] = spans[0] ?? [0]
    const [, until] = spans.at(-1) ?? [0, 0]
    const { isLast } = block
    const part = { bytes: block.bytes.subarray(from, until), byte: block.byte + from, line, isLast }
    const rows = await this.#decode(this.#format.part(part))
    if (!(rows instanceof MalformedRecord)) return rows
    if (spans.length <= 1) return [rows]
    const middle = spans.length >> 1
    const [half] = spans[middle] ?? [until]
    const before = await this.#halve(block, spans.slice(0, middle), line)
    const lineOfHalf = line + countLineFeeds(block.bytes.subarray(from, half))
    return [...before, ...(await this.#halve(block, spans.slice(middle), lineOfHalf))]
  }

  async #decode(block: B): Promise<FileRow[] | MalformedRecord> {
    try {
      return await this.#format.decode(block)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'INPUT_MALFORMED') throw error
      return new MalformedRecord(Buffer.from(withoutLineEnd(block.bytes)), error)
    }
  }
}
