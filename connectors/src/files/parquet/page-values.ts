import type { ColumnMetaData, PageHeader, SchemaTree } from 'hyparquet'
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { decompressPage, readDataPage } from 'hyparquet/src/datapage.js'
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js'
import { readPlain } from 'hyparquet/src/plain.js'
import type { ParquetColumn } from './column-type.ts'
import type { Compressors } from './compressors.ts'
import { convertValues } from './convert.ts'

type Decoder = Parameters<typeof readDataPage>[2]

/**
 * Decodes a flat column's pages. The levels, indexes and looked-up values of one page lie in arrays
 * that the next page reuses, in this row group and those after it: fresh ones tripled the memory of
 * a whole run, since arrays of this size are only collected late.
 */
export class PageValues {
  readonly #column: ParquetColumn
  readonly #compressors: Compressors
  readonly #requiredSchema: SchemaTree[]
  #levels = new Uint8Array(0)
  #indexes = new Uint32Array(0)
  #numbers = new Float64Array(0)
  readonly #objects: unknown[] = []

  constructor(column: ParquetColumn, compressors: Compressors) {
    this.#column = column
    this.#compressors = compressors
    const { schema } = column
    const element = { ...schema.element, repetition_type: 'REQUIRED' as const }
    this.#requiredSchema = [schema, { ...schema, element }]
  }

  /** Decodes a dictionary page. */
  dictionary(header: PageHeader, bytes: Uint8Array, chunk: ColumnMetaData): ArrayLike<unknown> {
    const { type_length: typeLength } = this.#column.schema.element
    const page = this.#decompress(bytes, header.uncompressed_page_size, chunk)
    const count = header.dictionary_page_header?.num_values ?? 0
    return convertValues(readPlain(readerOf(page), chunk.type, count, typeLength), this.#column)
  }

  /** Decodes a data page; the result is good until the next call. */
  values(
    header: PageHeader,
    bytes: Uint8Array,
    chunk: ColumnMetaData,
    dictionary: ArrayLike<unknown> | undefined,
  ): ArrayLike<unknown> {
    const page = this.#openPage(header, bytes, chunk)
    const present = page.hasNulls ? countPresent(this.#levels, page.count) : page.count
    if (!page.encoding.endsWith('_DICTIONARY')) {
      const values = this.#convertPlain(page, present, chunk)
      return present === page.count ? values : this.#withNulls(page.count, (i) => values[i])
    }
    if (!dictionary) throw new RangeError('a page refers to a dictionary that is not there')
    const indexes = this.#readIndexes(page.body, present)
    if (present < page.count) {
      return this.#withNulls(page.count, (i) => dictionary[indexes[i] as number])
    }
    return this.#lookUp(indexes, dictionary)
  }

  #openPage(header: PageHeader, bytes: Uint8Array, chunk: ColumnMetaData): OpenPage {
    const isOptional = this.#column.schema.element.repetition_type === 'OPTIONAL'
    const { data_page_header: v1, data_page_header_v2: v2 } = header
    if (v1) {
      const body = this.#decompress(bytes, header.uncompressed_page_size, chunk)
      const count = v1.num_values
      const start = isOptional ? this.#readLevels(body, count, undefined) : 0
      return { body: body.subarray(start), count, encoding: v1.encoding, hasNulls: isOptional }
    }
    if (!v2) throw new RangeError(`unknown page type ${header.type}`)
    const count = v2.num_values
    const levelBytes = v2.definition_levels_byte_length + v2.repetition_levels_byte_length
    if (isOptional) this.#readLevels(bytes, count, v2.definition_levels_byte_length)
    const packed = bytes.subarray(levelBytes)
    const body =
      v2.is_compressed === false
        ? packed
        : this.#decompress(packed, header.uncompressed_page_size - levelBytes, chunk)
    return { body, count, encoding: v2.encoding, hasNulls: isOptional }
  }

  /** Reads one level (1 = present, 0 = null) for each row; returns where the values start. */
  #readLevels(bytes: Uint8Array, count: number, length: number | undefined): number {
    if (this.#levels.length < count) this.#levels = new Uint8Array(count)
    const reader = readerOf(bytes)
    readRleBitPackedHybrid(reader, 1, this.#levels.subarray(0, count), length)
    return reader.offset
  }

  #convertPlain(page: OpenPage, count: number, chunk: ColumnMetaData): ArrayLike<unknown> {
    const { element } = this.#column.schema
    const header = {
      num_values: count,
      encoding: page.encoding as 'PLAIN',
      definition_level_encoding: 'RLE' as const,
      repetition_level_encoding: 'RLE' as const,
    }
    const decoder: Decoder = {
      type: chunk.type,
      codec: chunk.codec,
      element,
      pathInSchema: chunk.path_in_schema,
      schemaPath: this.#requiredSchema,
      parsers: DEFAULT_PARSERS,
    }
    return convertValues(readDataPage(page.body, header, decoder).dataPage, this.#column)
  }

  #readIndexes(body: Uint8Array, count: number): Uint32Array {
    if (this.#indexes.length < count) this.#indexes = new Uint32Array(count)
    const indexes = this.#indexes.subarray(0, count)
    const bits = body[0] ?? 0
    if (bits === 0) indexes.fill(0)
    else readRleBitPackedHybrid(readerOf(body.subarray(1)), bits, indexes, body.length - 1)
    return indexes
  }

  #lookUp(indexes: Uint32Array, dictionary: ArrayLike<unknown>): ArrayLike<unknown> {
    const { length } = indexes
    if (dictionary instanceof Float64Array) {
      if (this.#numbers.length < length) this.#numbers = new Float64Array(length)
      const numbers = this.#numbers.subarray(0, length)
      for (let i = 0; i < length; i++) numbers[i] = dictionary[indexes[i] as number] as number
      return numbers
    }
    this.#objects.length = length
    for (let i = 0; i < length; i++) this.#objects[i] = dictionary[indexes[i] as number]
    return this.#objects
  }

  #withNulls(count: number, valueAt: (i: number) => unknown): unknown[] {
    this.#objects.length = count
    let next = 0
    for (let i = 0; i < count; i++) {
      this.#objects[i] = this.#levels[i] === 1 ? valueAt(next++) : null
    }
    return this.#objects
  }

  #decompress(bytes: Uint8Array, sizeBytes: number, chunk: ColumnMetaData): Uint8Array {
    // A page of nulls alone holds nothing, which Node's decompressors refuse as a limit.
    if (sizeBytes === 0) return new Uint8Array(0)
    return decompressPage(bytes, sizeBytes, chunk.codec, { ...this.#compressors })
  }
}

interface OpenPage {
  readonly body: Uint8Array
  readonly count: number
  readonly encoding: string
  readonly hasNulls: boolean
}

function readerOf(bytes: Uint8Array): { view: DataView; offset: number } {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 }
}

function countPresent(levels: Uint8Array, count: number): number {
  let present = 0
  for (let i = 0; i < count; i++) present += levels[i] as number
  return present
}
