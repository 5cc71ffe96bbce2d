import type { Column, Source } from '@millrace/processors'
import type { FileIdentity } from '../files/file-identity.ts'
import type { Chunk } from './chunk.ts'
import type { ChunkBuffers } from './chunk-buffers.ts'
import type { ColumnMapping } from './column-mapping.ts'

/** Formats that a file is cut into chunks by. */
export type Format = 'csv' | 'ndjson' | 'parquet'

/** A file that is cut into chunks; stretches of it count bytes of text, or rows. */
export interface Input {
  readonly path: string
  readonly format: Format
  readonly identity: FileIdentity
  /** As they are in the table. */
  readonly columns: readonly Column[]
  /** The columns are those of the first records; later ones may have more. */
  readonly isSample: boolean
  /** Where the first record begins. */
  readonly start: number
  /** What stands before the first record. */
  readonly header: Buffer
  /** Bytes of the file, as stored, that a stretch of this length stands for; 0 when it can't be told. */
  storedBytes(length: number): number
  /** Cuts a stretch that begins and ends where records do. */
  chunks(from: number, until: number): AsyncIterable<Chunk>
  close(): Promise<void>
}

/** How to cut. */
export interface Cutting {
  readonly mapping: ColumnMapping
  /** Aimed at. */
  readonly chunkBytes: number
  readonly buffers: ChunkBuffers
}

/** Opens a source's input; undefined when it isn't a file that can be cut. */
export async function openInput(
  source: Source<unknown>,
  cutting: Cutting,
  signal: AbortSignal,
): Promise<Input | undefined> {
  const reader = await source.open({ position: undefined, signal })
  try {
    const { CsvReader } = await import('../files/csv/csv-reader.ts')
    if (reader instanceof CsvReader) {
      const { CsvInput } = await import('./csv-input.ts')
      return await CsvInput.open(reader, cutting)
    }
    const { NdjsonReader } = await import('../files/ndjson/ndjson-reader.ts')
    if (reader instanceof NdjsonReader) {
      const { NdjsonInput } = await import('./ndjson-input.ts')
      return new NdjsonInput(reader, cutting)
    }
    const { ParquetReader } = await import('../files/parquet/parquet-reader.ts')
    if (reader instanceof ParquetReader) {
      const { ParquetInput } = await import('./parquet-input.ts')
      return new ParquetInput(reader, cutting)
    }
  } catch (error) {
    await reader.close()
    throw error
  }
  await reader.close()
  return undefined
}
