import {
  bytes,
  checkArgument,
  checkOptions,
  type Checks,
  count,
  flag,
  oneOf,
  required,
  text,
} from '@millrace/core/options'
import type { Sink } from '@millrace/processors'
import type { FileSource } from '../file-source.ts'
import { filesChecks, type FilesOptions, filesSink } from '../out/files-sink.ts'
import type { ColumnsOf, PathBy } from '../out/path-rule.ts'
import type { FileRow } from '../row-maker.ts'
import { textSource } from '../text-source.ts'
import type { NdjsonFormatOptions } from './ndjson-format.ts'

/** Options of {@link ndjson}. */
export interface NdjsonOptions {
  /** A longer line is an error. Default 16 MiB. */
  readonly maxRecordBytes?: number
  /** Read only the first so many rows. */
  readonly limit?: number
  /**
   * Go on as the file grows, through rotation by renaming, until the run is stopped. A file that is cut
   * is read from its beginning again.
   */
  readonly follow?: boolean
}

const CHECKS: Checks<NdjsonOptions> = { maxRecordBytes: bytes(), limit: count(0), follow: flag }

/**
 * Reads a file of JSON objects, one a line (NDJSON, JSON Lines), plain or compressed with gzip or
 * zstd (known by content, not by name). A line that is no object is an error that names line and byte;
 * under `--on-error skip` or `dead-letter` a run passes over it.
 *
 * The position is the byte after the last line (before compression) plus the file's identity, so
 * reading goes on exactly where it stopped; a file changed in between is refused (INPUT_CHANGED).
 * A directory or a pattern stands for its files, as with {@link csv}. With `follow` the file may grow. The path `-` is standard input, which can't be read again: each run
 * reads what it is given.
 */
export function ndjson<Row = FileRow>(path: string, options: NdjsonOptions = {}): FileSource<Row> {
  checkArgument('ndjson', 'its path', path, required(text))
  checkOptions('ndjson', options, CHECKS)
  const { maxRecordBytes = 16 * 1024 * 1024 } = options
  const kind = { format: 'ndjson', maxRecordBytes } as const
  return textSource(path, kind, options, async (file, context, isLenient) => {
    const { openNdjson } = await import('./ndjson-reader.ts')
    return openNdjson(file, maxRecordBytes, context, isLenient)
  })
}

/** Options of {@link ndjson.files}. */
export interface NdjsonFilesOptions<By extends PathBy = PathBy>
  extends FilesOptions<By>, NdjsonFormatOptions {}

const FILES: Checks<NdjsonFilesOptions> = { ...filesChecks, compression: oneOf('gzip', 'zstd') }

/**
 * NDJSON files as a sink, exactly once: `<directory>/<task>-<offset of the first record>.ndjson`, as
 * {@link csv.files} writes them. Each line has the key's properties, then the value's.
 *
 * @throws UsageError for options that make no sense.
 */
ndjson.files = files

function files<const By extends PathBy>(
  directory: string,
  options: NdjsonFilesOptions<By> = {},
): Sink<Readonly<Record<ColumnsOf<By>, unknown>>> {
  checkOptions('ndjson.files', options, FILES)
  return filesSink(directory, options, 'ndjson', async () => {
    const { ndjsonFormat } = await import('./ndjson-format.ts')
    return ndjsonFormat(options)
  })
}
