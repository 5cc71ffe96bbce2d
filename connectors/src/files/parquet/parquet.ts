import { basename, resolve } from 'node:path'
import { UsageError } from '@millrace/core'
import type { SourceReader } from '@millrace/processors'
import type { FileSource } from '../file-source.ts'
import type { FileRow } from '../row-maker.ts'

/** Options of {@link parquet}. */
export interface ParquetOptions {
  /** Read only the first so many rows. */
  readonly limit?: number
}

/**
 * Reads a Parquet file's rows in order. Memory is bound by the pages of a row group (by the whole
 * row group where columns are nested), whatever the size of the file.
 *
 * Values: int64 as number where the file's statistics prove it exact, else bigint; timestamps and
 * dates as milliseconds since 1970 UTC (timestamps without a zone count as UTC; microseconds stay
 * as a fraction); decimals as exact strings; lists as arrays, structs as objects.
 *
 * The position is a row of a row group plus the file's identity, so reading goes on exactly where it
 * stopped, and a file changed in between is refused (UsageError INPUT_CHANGED).
 */
export function parquet<Row = FileRow>(
  path: string,
  options: ParquetOptions = {},
): FileSource<Row> {
  const { limit } = options
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 0)) {
    throw new UsageError('USAGE', `parquet: limit is a number of rows, at least 0, not ${limit}.`)
  }
  return {
    kind: 'source',
    name: `parquet ${basename(path)}`,
    bounded: true,
    path: resolve(path),
    async open(context) {
      // The decoders are loaded when a file is read, not whenever a pipeline is described.
      const { openParquet } = await import('./parquet-reader.ts')
      return (await openParquet(path, limit, context)) as unknown as SourceReader<Row>
    },
  }
}
