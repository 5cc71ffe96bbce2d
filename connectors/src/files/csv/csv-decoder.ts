import type { Column } from '@millrace/processors'
import type { InputPlace } from '../input-error.ts'
import { malformed } from '../input-error.ts'
import type { FileRow, RowMaker } from '../row-maker.ts'
import { compileRowMaker } from '../row-maker.ts'
import { placeIn } from '../text/line-number.ts'
import { LenientDecoder } from '../text/lenient-decoder.ts'
import { csvSpans } from '../text/record-spans.ts'
import { requireUtf8 } from '../text/require-utf8.ts'
import type { ReadText } from '../text/text-values.ts'
import { MISFIT, describeType, readText } from '../text/text-values.ts'
import { type CsvBlock, badQuote, csvBlock } from './csv-blocks.ts'
import type { CsvLayout } from './csv-layout.ts'
import type { CsvRecords } from './csv-records.ts'
import { splitExactly, splitRecords } from './csv-records.ts'
import { type CsvDialect, scanCsv } from './csv-scan.ts'

/** Turns blocks of CSV into typed rows. */
export class CsvDecoder {
  readonly #path: string
  readonly #columns: readonly Column[]
  readonly #dialect: CsvDialect
  readonly #readers: readonly ReadText[]
  readonly #makeRows: RowMaker
  /** One array of values for each column, used again for each block. */
  readonly #values: unknown[][]
  readonly #starts: readonly number[]

  constructor(path: string, { columns, dialect }: Pick<CsvLayout, 'columns' | 'dialect'>) {
    this.#path = path
    this.#columns = columns
    this.#dialect = dialect
    this.#readers = columns.map(({ type }) => readText[type])
    this.#makeRows = compileRowMaker(columns.map(({ name }) => name))
    this.#values = columns.map(() => [])
    this.#starts = columns.map(() => 0)
  }

  /** @throws RejectedError INPUT_MALFORMED naming line and byte of the first bad record. */
  async decode(block: CsvBlock): Promise<FileRow[]> {
    const { broken } = block
    if (broken) throw badQuote(await placeIn(this.#path, block, block.byte + broken.at), broken)
    await requireUtf8(this.#path, block)
    if (block.bytes.includes(0)) throw await this.#nul(block)
    const text = block.bytes.toString('utf8')
    const split = splitRecords(text, block.scan, this.#dialect)
    const problem = this.#findRagged(split) ?? this.#convert(split)
    if (problem) {
      const place = await this.#locate(block, problem.index)
      throw malformed(place, problem.reason, problem.next)
    }
    const rows: FileRow[] = []
    this.#makeRows(rows, this.#values, this.#starts, split.records.length)
    return rows
  }

  #findRagged({ records }: CsvRecords): Problem | undefined {
    const width = this.#columns.length
    const index = records.findIndex((record) => record.length !== width)
    if (index < 0) return undefined
    const found = records[index]?.length ?? 0
    const next = 'Is a delimiter missing, or one not quoted?'
    return {
      index,
      reason: `${found} ${found === 1 ? 'field' : 'fields'} where there should be ${width}`,
      next,
    }
  }

  #convert({ records, nullText }: CsvRecords): Problem | undefined {
    for (const [c, read] of this.#readers.entries()) {
      const values = this.#values[c] as unknown[]
      values.length = records.length
      for (let i = 0; i < records.length; i++) {
        const text = records[i]?.[c] as string | null
        const value = text === null || text === nullText ? null : read(text)
        if (value === MISFIT) return this.#misfit(i, c, text)
        values[i] = value
      }
    }
    return undefined
  }

  #misfit(index: number, c: number, text: string | null): Problem {
    const column = this.#columns[c] as Column
    const shown = JSON.stringify(text).slice(0, 80)
    const reason = `column ${column.name}: ${shown} is no ${describeType(column)}`
    const next = `Correct it, or declare the type under columns: { ${column.name}: 'string' } (millrace produce: --type).`
    return { index, reason, next }
  }

  /** Reads blocks without ending at a bad record. */
  lenient(): LenientDecoder<CsvBlock> {
    return new LenientDecoder(this.#path, {
      decode: (block) => this.decode(block),
      spans: ({ bytes, broken }) =>
        broken ? [[0, bytes.length]] : csvSpans(bytes, this.#dialect.quote),
      part: (block) => csvBlock(block, scanCsv(block.bytes, this.#dialect, true)),
    })
  }

  /** Where in a block each record ends. */
  #recordEnds(block: CsvBlock): number[] {
    const placed = splitExactly(block.bytes.toString('utf8'), this.#dialect)
    return placed.map(({ info }) => info.bytes)
  }

  #locate(block: CsvBlock, index: number): Promise<InputPlace> {
    const start = skipEmptyLines(block.bytes, this.#recordEnds(block)[index - 1] ?? 0)
    return placeIn(this.#path, block, block.byte + start)
  }

  async #nul(block: CsvBlock): Promise<Error> {
    const place = await placeIn(this.#path, block, block.byte + block.bytes.indexOf(0))
    return malformed(place, 'a NUL byte', 'Text holds none; take them out: tr -d "\\0".')
  }
}

interface Problem {
  /** Record inside the block. */
  readonly index: number
  readonly reason: string
  readonly next: string
}

function skipEmptyLines(bytes: Buffer, start: number): number {
  let at = start
  while (bytes[at] === 0x0a || (bytes[at] === 0x0d && bytes[at + 1] === 0x0a)) at++
  return at
}
