import type { CopyBuffer } from './copy-buffer.ts'
import type { WriteField } from './csv-fields.ts'
import { fieldWriter } from './csv-fields.ts'
import { JsonScanner } from './json-line-scanner.ts'
import type { WrittenColumn } from './row-encoder.ts'

const LINE_FEED = 0x0a
const headerBytes = 2
/** Length and the longest value that is not longer than its text. */
const fieldBytesMax = 16
/** Rows are written until this much is there to be sent. */
const sendBytes = 128 * 1024

/** Types whose values may stand in a JSON string and are read from its text alone. */
const ofText = new Set([
  'text',
  'character',
  'character varying',
  'date',
  'timestamp without time zone',
  'timestamp with time zone',
  'uuid',
])
const ofNumbers = new Set(['smallint', 'integer', 'bigint', 'double precision', 'numeric'])

/** Which kinds of JSON values a column takes as they stand. */
interface Column {
  readonly write: WriteField
  readonly takesString: boolean
  readonly takesNumber: boolean
  readonly takesBoolean: boolean
  /** Any value, with the quotes of a string. */
  readonly takesJson: boolean
}

/**
 * Turns lines of JSON into rows of binary COPY, byte by byte and without an object for each line. What
 * has an unusual form is left to the caller.
 */
export class JsonTranscoder {
  /** Rows written so far. */
  records = 0
  readonly #columns: readonly Column[]
  readonly #scanner: JsonScanner

  private constructor(columns: readonly Column[], scanner: JsonScanner) {
    this.#columns = columns
    this.#scanner = scanner
  }

  /**
   * @param properties What a line may have: the place of its column among `columns`; −1: in none.
   * @returns undefined when a column's type is left to the caller.
   */
  static for(
    columns: readonly WrittenColumn[],
    properties: ReadonlyMap<string, number>,
  ): JsonTranscoder | undefined {
    const known = columns.map(columnOf).filter((column) => column !== undefined)
    if (known.length < columns.length) return undefined
    return new JsonTranscoder(known, new JsonScanner(properties, columns.length))
  }

  /**
   * Writes lines of `bytes` from `start` on, until `out` holds enough to be sent. Returns where the next
   * line begins: `start` itself when the caller must write the one there.
   */
  write(out: CopyBuffer, bytes: Buffer, start: number): number {
    let at = start
    while (at < bytes.length && out.position < sendBytes) {
      const next = this.#scanner.scan(bytes, at)
      if (next < 0) return at
      if (!this.#scanner.isBlank) {
        const before = out.position
        if (!this.#row(out, bytes)) {
          out.position = before
          return at
        }
        this.records++
      }
      at = next
    }
    return at
  }

  #row(out: CopyBuffer, bytes: Buffer): boolean {
    const columns = this.#columns
    const { starts, ends, kinds } = this.#scanner
    out.reserve(headerBytes + columns.length * fieldBytesMax)
    out.view.setInt16(out.position, columns.length)
    out.position += headerBytes
    for (let c = 0; c < columns.length; c++) {
      const kind = kinds[c] as number
      if (kind === JsonScanner.nothing) {
        out.view.setInt32(out.position, -1)
        out.position += 4
        continue
      }
      const start = starts[c] as number
      const end = ends[c] as number
      if (!this.#field(out, columns[c] as Column, kind, bytes, start, end)) return false
    }
    return true
  }

  #field(
    out: CopyBuffer,
    column: Column,
    kind: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean {
    if (out.position + end - start + fieldBytesMax > out.bytes.length) {
      out.reserve(end - start + this.#columns.length * fieldBytesMax)
    }
    if (column.takesJson) return column.write(out, bytes, start, end)
    switch (kind) {
      case JsonScanner.string:
        return column.takesString && column.write(out, bytes, start + 1, end - 1)
      case JsonScanner.escaped:
        return column.takesString && writeEscaped(out, column.write, bytes, start, end)
      case JsonScanner.number:
        return column.takesNumber && column.write(out, bytes, start, end)
      case JsonScanner.boolean:
        return column.takesBoolean && writeBoolean(out, bytes[start] === 0x74)
      default:
        return false
    }
  }
}

function columnOf({ codec }: WrittenColumn): Column | undefined {
  const write = fieldWriter(codec)
  if (write === undefined || codec === undefined) return undefined
  const { type } = codec
  return {
    write,
    takesString: ofText.has(type),
    takesNumber: ofNumbers.has(type),
    takesBoolean: type === 'boolean',
    takesJson: type === 'json' || type === 'jsonb',
  }
}

function writeBoolean(out: CopyBuffer, value: boolean): boolean {
  out.view.setInt32(out.position, 1)
  out.bytes[out.position + 4] = value ? 1 : 0
  out.position += 5
  return true
}

/** A string with escapes; what PostgreSQL's text can't hold is left to the caller, who says so. */
function writeEscaped(
  out: CopyBuffer,
  write: WriteField,
  bytes: Buffer,
  start: number,
  end: number,
): boolean {
  const text = parsed(bytes.toString('utf8', start, end))
  if (text === undefined || text.includes('\0') || !text.isWellFormed()) return false
  const plain = Buffer.from(text)
  return write(out, plain, 0, plain.length)
}

function parsed(json: string): string | undefined {
  try {
    return JSON.parse(json) as string
  } catch {
    return undefined
  }
}

/** Where the line after this one begins. */
export function nextLine(bytes: Buffer, start: number): number {
  const end = bytes.indexOf(LINE_FEED, start)
  return end < 0 ? bytes.length : end + 1
}
