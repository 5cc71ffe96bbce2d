import type { Block } from '../text/block-cutter.ts'
import { RecordTooLong } from '../text/block-cutter.ts'
import { countLineFeeds } from '../text/line-number.ts'

const EMPTY = Buffer.alloc(0)

/** Where a stretch of input begins: a byte, and the line that it lies on. */
export interface LivePlace {
  readonly byte: number
  readonly line: number
}

/**
 * Cuts bytes into blocks of whole records as they come, without waiting for more than the end of a
 * record: the beginning of one waits here for its rest.
 */
export class RecordCutter {
  readonly #findEnd: (bytes: Buffer, isLast: boolean) => number
  readonly #maxRecordBytes: number
  #rest: Buffer = EMPTY
  #byte: number
  #line: number

  constructor(
    start: LivePlace,
    findEnd: (bytes: Buffer, isLast: boolean) => number,
    maxRecordBytes: number,
  ) {
    this.#byte = start.byte
    this.#line = start.line
    this.#findEnd = findEnd
    this.#maxRecordBytes = maxRecordBytes
  }

  /** Where the next block begins. */
  get place(): LivePlace {
    return { byte: this.#byte, line: this.#line }
  }

  /** The records that end in these bytes. @throws RecordTooLong */
  *take(bytes: Buffer): Generator<Block> {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#rest.length > 0) {
      const end = this.#findEnd(this.#rest, false)
      if (end === 0) break
      yield this.#cut(end, false)
    }
    if (this.#rest.length > this.#maxRecordBytes) throw new RecordTooLong(this.#byte, false)
  }

  /** Nothing more comes: the last record may lack its line end. @throws RecordTooLong */
  *end(): Generator<Block> {
    while (this.#rest.length > 0) {
      const end = this.#findEnd(this.#rest, true)
      if (end === 0) throw new RecordTooLong(this.#byte, true)
      yield this.#cut(end, true)
    }
  }

  #cut(end: number, isLast: boolean): Block {
    const bytes = this.#rest.subarray(0, end)
    const block = { bytes, byte: this.#byte, line: this.#line, isLast }
    this.#rest = this.#rest.subarray(end)
    this.#byte += end
    this.#line += countLineFeeds(bytes)
    return block
  }
}
