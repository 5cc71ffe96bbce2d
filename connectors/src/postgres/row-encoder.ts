import type { CopyBuffer } from './copy-buffer.ts'
import type { ColumnCodec } from './codecs/column-codec.ts'
import { int4 } from './codecs/integers.ts'
import { anyText, writeUnchecked } from './codecs/text.ts'

/** A row's values by name: the key's properties come first. */
export type Row = Readonly<Record<string, unknown>>

/** A column that rows are written to. */
export interface WrittenColumn {
  readonly name: string
  /** Undefined: a type that only text can carry, so that the whole table is copied as text. */
  readonly codec: ColumnCodec | undefined
  /** The type's name in SQL. */
  readonly type: string
}

/** Writes rows of one table in one of COPY's formats. Made once per table. */
export interface RowEncoder {
  /** For `COPY … FROM STDIN WITH (…)`. */
  readonly copyOptions: string
  readonly columns: readonly WrittenColumn[]
  /** The column that {@link row} was at when it threw. */
  readonly column: WrittenColumn | undefined
  begin(out: CopyBuffer): void
  /**
   * @param number Written as a last column of its own, where the encoder was made with `isNumbered`.
   * @throws UnfitValue when a column can't hold its value; `out` is then back where the row began.
   */
  row(out: CopyBuffer, key: Row | null, value: Row | null, number: number): void
  end(out: CopyBuffer): void
}

/** Picks binary COPY where every column's type has a codec, else text COPY. */
export function rowEncoder(columns: readonly WrittenColumn[], isNumbered = false): RowEncoder {
  const codecs = columns.map((column) => column.codec).filter((codec) => codec !== undefined)
  return codecs.length === columns.length
    ? new BinaryRows(columns, codecs, isNumbered)
    : new TextRows(columns, isNumbered)
}

const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')

/** What comes before the first row of a binary COPY. */
export function writeBinaryStart(out: CopyBuffer): void {
  out.reserve(signature.length)
  out.bytes.set(signature, out.position)
  out.position += signature.length
}

/** What comes after the last row of a binary COPY. */
export function writeBinaryEnd(out: CopyBuffer): void {
  out.reserve(2)
  out.view.setInt16(out.position, -1)
  out.position += 2
}

class BinaryRows implements RowEncoder {
  readonly copyOptions = 'FORMAT binary'
  readonly columns: readonly WrittenColumn[]
  readonly #names: readonly string[]
  readonly #codecs: readonly ColumnCodec[]
  readonly #read: typeof readValue
  readonly #isNumbered: boolean
  #index = 0

  constructor(
    columns: readonly WrittenColumn[],
    codecs: readonly ColumnCodec[],
    isNumbered: boolean,
  ) {
    this.columns = columns
    this.#isNumbered = isNumbered
    this.#names = columns.map((column) => column.name)
    this.#codecs = codecs
    this.#read = readerFor(this.#names)
  }

  get column(): WrittenColumn | undefined {
    return this.columns[this.#index]
  }

  begin(out: CopyBuffer): void {
    writeBinaryStart(out)
  }

  row(out: CopyBuffer, key: Row | null, value: Row | null, number: number): void {
    const start = out.position
    const count = this.#codecs.length
    const read = this.#read
    out.reserve(2)
    out.view.setInt16(start, this.#isNumbered ? count + 1 : count)
    out.position = start + 2
    try {
      for (let index = 0; index < count; index += 1) {
        this.#index = index
        const cell = read(key, value, this.#names[index] as string)
        if (cell === null || cell === undefined) writeNull(out)
        else (this.#codecs[index] as ColumnCodec).write(out, cell)
      }
      if (this.#isNumbered) int4.write(out, number)
    } catch (error) {
      out.position = start
      throw error
    }
  }

  end(out: CopyBuffer): void {
    writeBinaryEnd(out)
  }
}

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

class TextRows implements RowEncoder {
  readonly copyOptions = 'FORMAT text'
  readonly columns: readonly WrittenColumn[]
  readonly #read: typeof readValue
  readonly #isNumbered: boolean
  #index = 0

  constructor(columns: readonly WrittenColumn[], isNumbered: boolean) {
    this.columns = columns
    this.#isNumbered = isNumbered
    this.#read = readerFor(columns.map((column) => column.name))
  }

  get column(): WrittenColumn | undefined {
    return this.columns[this.#index]
  }

  begin(): void {}

  row(out: CopyBuffer, key: Row | null, value: Row | null, number: number): void {
    const cells = this.columns.map((column, index) => {
      this.#index = index
      const cell = this.#read(key, value, column.name)
      if (cell === null || cell === undefined) return '\\N'
      const text = (column.codec ?? anyText).text(cell)
      return text.replaceAll(/[\\\b\f\n\r\t\v]/g, (character) => escapes[character] ?? character)
    })
    if (this.#isNumbered) cells.push(String(number))
    const start = out.position
    writeUnchecked(out, `${cells.join('\t')}\n`)
    // Lines carry no length.
    out.bytes.copyWithin(start, start + 4, out.position)
    out.position -= 4
  }

  end(): void {}
}

function writeNull(out: CopyBuffer): void {
  out.reserve(4)
  out.view.setInt32(out.position, -1)
  out.position += 4
}

function readValue(key: Row | null, value: Row | null, name: string): unknown {
  const ofKey = key === null ? undefined : key[name]
  return ofKey === undefined && value !== null ? value[name] : ofKey
}

/** For columns called `constructor` and the like, which every object seems to have. */
function readOwnValue(key: Row | null, value: Row | null, name: string): unknown {
  if (key !== null && Object.hasOwn(key, name)) return key[name]
  return value !== null && Object.hasOwn(value, name) ? value[name] : undefined
}

/** How to read a column's value from key and value. */
export function readerFor(names: readonly string[]): typeof readValue {
  return names.some((name) => name in Object.prototype) ? readOwnValue : readValue
}
