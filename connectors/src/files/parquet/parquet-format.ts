import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { SchemaElement } from 'hyparquet'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { Column } from '@millrace/processors'
import {
  columnOf,
  RowMisfit,
  type OutFormat,
  type Part,
  type RowEncoder,
} from '../out/row-encoder.ts'
import { jsonText } from '../../json-text.ts'
import { parquetValue } from './parquet-value.ts'

/** How Parquet is written. */
export interface ParquetFormatOptions {
  /** Default `zstd`. */
  readonly compression?: 'zstd' | 'snappy' | 'gzip' | 'none'
  /** Rows gathered in memory for one row group, if they are not 32 MiB before. Default 100,000. */
  readonly rowGroupRows?: number
}

const codecs = { zstd: 'ZSTD', snappy: 'SNAPPY', gzip: 'GZIP', none: 'UNCOMPRESSED' } as const
const compressors = {
  ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes),
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
}
const ROW_GROUP_BYTES = 32 * 1024 * 1024
const ROW_GROUP_ROWS = 100_000

/** Parquet in row groups; a column's type is that of the schema, or the one its first values have. */
export function parquetFormat(options: ParquetFormatOptions = {}): OutFormat {
  return {
    name: 'parquet',
    extension: '.parquet',
    needs: 'types',
    begin: (columns, without) => {
      const kept = columns.filter(({ name }) => !without.has(name))
      return new ParquetEncoder(
        kept.map(({ name, type = 'string', array }) => ({
          name,
          type: array === true ? 'json' : type,
        })),
        options,
      )
    },
  }
}

type TypedColumn = Pick<Column, 'name' | 'type'>

class ParquetEncoder implements RowEncoder {
  readonly #columns: readonly TypedColumn[]
  readonly #rowGroupRows: number
  readonly #bytes = new ByteWriter(64 * 1024)
  readonly #writer: ParquetWriter
  #values: unknown[][]
  /** Room for one row, so that one that doesn't fit leaves no half of it behind. */
  readonly #row: unknown[]
  #marked = { rows: 0, waitingBytes: 0 }
  waitingBytes = 0

  constructor(columns: readonly TypedColumn[], options: ParquetFormatOptions) {
    this.#columns = columns
    this.#rowGroupRows = options.rowGroupRows ?? ROW_GROUP_ROWS
    this.#values = columns.map(() => [])
    this.#row = columns.map(() => null)
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: schemaOf(columns),
      codec: codecs[options.compression ?? 'zstd'],
      compressors,
      createdBy: 'millrace',
    })
  }

  add(key: Part, value: Part): void {
    let bytes = 0
    for (const [c, { name, type }] of this.#columns.entries()) {
      const stored = columnOf(key, value, name) ?? null
      const written = stored === null ? null : parquetValue(type, stored)
      if (written === undefined) throw misfit(name, type, stored)
      this.#row[c] = written
      bytes += sizeOf(written)
    }
    for (const [c, written] of this.#row.entries()) this.#values[c]?.push(written)
    this.waitingBytes += bytes
  }

  get #rows(): number {
    return this.#values[0]?.length ?? 0
  }

  mark(): void {
    this.#marked = { rows: this.#rows, waitingBytes: this.waitingBytes }
  }

  undo(): void {
    for (const values of this.#values) values.length = this.#marked.rows
    this.waitingBytes = this.#marked.waitingBytes
  }

  get isFull(): boolean {
    return this.#rows >= this.#rowGroupRows || this.waitingBytes >= ROW_GROUP_BYTES
  }

  async take(isLast: boolean): Promise<Uint8Array> {
    const rows = this.#rows
    if (rows > 0) {
      const columnData = this.#columns.map(({ name }, c) => ({ name, data: this.#values[c] ?? [] }))
      await this.#writer.write({ columnData, rowGroupSize: rows })
      this.#values = this.#columns.map(() => [])
      this.waitingBytes = 0
      this.mark()
    }
    if (isLast) await this.#writer.finish()
    const bytes = this.#bytes.getBytes().slice()
    this.#bytes.index = 0
    return bytes
  }
}

function misfit(name: string, type: string, value: unknown): RowMisfit {
  return new RowMisfit(`column ${name}: ${jsonText(value).slice(0, 80)} is no ${type}`)
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  return value instanceof Uint8Array ? value.length : 8
}

const elements: Readonly<Record<Column['type'], Omit<SchemaElement, 'name'>>> = {
  boolean: { type: 'BOOLEAN' },
  int32: { type: 'INT32' },
  int64: { type: 'INT64' },
  float64: { type: 'DOUBLE' },
  decimal: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  bytes: { type: 'BYTE_ARRAY' },
  timestamp: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
  date: { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } },
  uuid: { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } },
  json: { type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } },
}

/** Every column takes nulls: a row may lack any of them. */
function schemaOf(columns: readonly TypedColumn[]): SchemaElement[] {
  return [
    { name: 'root', num_children: columns.length },
    ...columns.map(({ name, type }) => ({
      name,
      repetition_type: 'OPTIONAL' as const,
      ...elements[type],
    })),
  ]
}
