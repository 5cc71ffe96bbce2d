import { basename, resolve } from 'node:path'
import { UsageError } from '@millrace/core'
import {
  checkArgument,
  checkOptions,
  type Checks,
  count,
  oneOf,
  required,
  text,
} from '@millrace/core/options'
import type { Sink, SourceContext, SourceReader } from '@millrace/processors'
import type { FileSource } from '../file-source.ts'
import { openLimited } from '../limited.ts'
import { STDIN } from '../live/source-name.ts'
import { filesChecks, type FilesOptions, filesSink } from '../out/files-sink.ts'
import type { ColumnsOf, PathBy } from '../out/path-rule.ts'
import type { FileRow } from '../row-maker.ts'
import type { ParquetFormatOptions } from './parquet-format.ts'

/** Options of {@link parquet}. */
export interface ParquetOptions {
  /** Read only the first so many rows. */
  readonly limit?: number
}

const CHECKS: Checks<ParquetOptions> = { limit: count(0) }

/**
 * Reads a Parquet file's rows in order. Memory is bound by the pages of a row group (by the whole
 * row group where columns are nested), whatever the size of the file.
 *
 * Values: int64 as number where the file's statistics prove it exact, else bigint; timestamps and
 * dates as milliseconds since 1970 UTC (timestamps without a zone count as UTC; microseconds stay
 * as a fraction); decimals as exact strings; lists as arrays, structs as objects.
 *
 * The position is a row of a row group plus the file's identity, so reading goes on exactly where it
 * stopped, and a file changed in between is refused (UsageError INPUT_CHANGED). A directory or a pattern
 * stands for its files, as with {@link csv}.
 */
export function parquet<Row = FileRow>(
  path: string,
  options: ParquetOptions = {},
): FileSource<Row> {
  checkArgument('parquet', 'its path', path, required(text))
  checkOptions('parquet', options, CHECKS)
  const { limit } = options
  if (path === STDIN) {
    const next = 'Put it into a file first: its directory stands at its end.'
    throw new UsageError('USAGE', `parquet: standard input can't be read as Parquet. ${next}`)
  }
  return {
    kind: 'source',
    name: `parquet ${basename(path)}`,
    bounded: true,
    path: resolve(path),
    async open(context) {
      // The decoders are loaded when a file is read, not whenever a pipeline is described.
      const { openParquet } = await import('./parquet-reader.ts')
      const { findFiles } = await import('../dataset/find-files.ts')
      const files = await findFiles(path, 'parquet')
      if (files === undefined) {
        return (await openParquet(path, limit, context)) as unknown as SourceReader<Row>
      }
      const { openDataset } = await import('../dataset/dataset.ts')
      const openOne = (file: string, inner: SourceContext) => openParquet(file, undefined, inner)
      const openAll = (inner: SourceContext) => openDataset(path, files, openOne, inner)
      return (await openLimited(openAll, limit, context)) as SourceReader<Row>
    },
  }
}

/** Options of {@link parquet.files}. */
export interface ParquetFilesOptions<By extends PathBy = PathBy>
  extends FilesOptions<By>, ParquetFormatOptions {}

const FILES: Checks<ParquetFilesOptions> = {
  ...filesChecks,
  compression: oneOf('zstd', 'snappy', 'gzip', 'none'),
  rowGroupRows: count(),
}

/**
 * Parquet files as a sink, exactly once: `<directory>/<task>-<offset of the first record>.parquet`, as
 * {@link csv.files} writes them. Columns have the types of the schema; without one, those of the rows,
 * and a row with a new column, or one that needs a wider type, begins a new file. Timestamps are
 * microseconds in UTC, decimals text, nested values JSON; all columns take nulls.
 *
 * @throws UsageError for options that make no sense.
 */
parquet.files = files

function files<const By extends PathBy>(
  directory: string,
  options: ParquetFilesOptions<By> = {},
): Sink<Readonly<Record<ColumnsOf<By>, unknown>>> {
  checkOptions('parquet.files', options, FILES)
  return filesSink(directory, options, 'parquet', async () => {
    const { parquetFormat } = await import('./parquet-format.ts')
    return parquetFormat(options)
  })
}
