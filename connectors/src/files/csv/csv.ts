import { UsageError } from '@millrace/core'
import {
  anyText,
  bytes,
  checkArgument,
  checkOptions,
  type Checks,
  count,
  expecting,
  flag,
  oneOf,
  required,
  text,
} from '@millrace/core/options'
import type { ColumnType, Sink } from '@millrace/processors'
import type { FileSource } from '../file-source.ts'
import { columnTypes } from '../../parts.ts'
import { filesChecks, type FilesOptions, filesSink } from '../out/files-sink.ts'
import type { ColumnsOf, PathBy } from '../out/path-rule.ts'
import type { FileRow } from '../row-maker.ts'
import { textSource } from '../text-source.ts'
import type { CsvFormatOptions } from './csv-format.ts'

/** Options of {@link csv}. */
export interface CsvOptions {
  /** The first record names the columns. Default true. */
  readonly header?: boolean
  /** One character. Default: whichever of `, ; tab |` the first line has most of. */
  readonly delimiter?: string
  /** One character, doubled inside quoted fields; `''` when nothing is quoted. Default `"`. */
  readonly quote?: string
  /** What an unquoted field holds when it means null. Default `''`: nothing at all. */
  readonly null?: string
  /**
   * Types by column name; others are inferred from the first 256 KiB. Dates and times are checked and
   * stay the text that they are.
   */
  readonly columns?: Readonly<Record<string, ColumnType>>
  /** A longer record is an error, so that an unclosed quote can't swallow the file. Default 16 MiB. */
  readonly maxRecordBytes?: number
  /** Read only the first so many rows. */
  readonly limit?: number
  /**
   * Go on as the file grows, through rotation by renaming, until the run is stopped. Columns that
   * `columns` doesn't name are text then. A file that is cut is read from its beginning again.
   */
  readonly follow?: boolean
}

const delimiter = expecting('one ASCII character', isOneAscii)

const CHECKS: Checks<CsvOptions> = {
  header: flag,
  delimiter,
  quote: expecting('one ASCII character or empty', (value) => value === '' || isOneAscii(value)),
  null: anyText,
  columns: columnTypes,
  maxRecordBytes: bytes(),
  limit: count(0),
  follow: flag,
}

/**
 * Reads a CSV file's records in order, plain or compressed with gzip or zstd (known by content, not
 * by name). Strict: broken quotes, a missing or surplus field, text that is not UTF-8 and a value
 * that doesn't fit its column's type are errors that name file, line and byte, never a guess. Under
 * `--on-error skip` or `dead-letter` a run passes over such a record alone; not so over a quote that is
 * never closed, behind which nobody can tell where the next record begins.
 *
 * The position is the byte after the last record (before compression) plus the file's identity, so
 * reading goes on exactly where it stopped; a file changed in between is refused (INPUT_CHANGED).
 * A directory, or a pattern such as `data/*.csv`, stands for its files in order of their names; directories
 * `name=value` on the way to them are columns of text. With `follow` the file may grow. The path `-` is standard input, which can't be read again: each run
 * reads what it is given.
 */
export function csv<Row = FileRow>(path: string, options: CsvOptions = {}): FileSource<Row> {
  checkArgument('csv', 'its path', path, required(text))
  checkOptions('csv', options, CHECKS)
  expectColumns(options)
  const { maxRecordBytes = 16 * 1024 * 1024 } = options
  const kind = { format: 'csv', maxRecordBytes, options } as const
  return textSource(path, kind, options, async (file, context, isLenient, like) => {
    const { openCsv } = await import('./csv-reader.ts')
    return openCsv(file, options, context, { isLenient, like })
  })
}

/** Options of {@link csv.files}. */
export interface CsvFilesOptions<By extends PathBy = PathBy>
  extends FilesOptions<By>, CsvFormatOptions {}

const FILES: Checks<CsvFilesOptions> = {
  ...filesChecks,
  header: flag,
  delimiter,
  lineEnd: expecting(String.raw`'\n' or '\r\n'`, (value) => value === '\n' || value === '\r\n'),
  null: anyText,
  compression: oneOf('gzip', 'zstd'),
}

/**
 * CSV files as a sink, exactly once: `<directory>/<task>-<offset of the first record>.csv`. A file
 * appears whole, under its name, together with the position after it; what a crash left under way is
 * written again under the same name. Columns are the schema's; without one, those of the rows, and a
 * row with a new column begins a new file.
 *
 * @throws UsageError for options that make no sense.
 */
csv.files = files

function files<const By extends PathBy>(
  directory: string,
  options: CsvFilesOptions<By> = {},
): Sink<Readonly<Record<ColumnsOf<By>, unknown>>> {
  checkOptions('csv.files', options, FILES)
  return filesSink(directory, options, 'csv', async () => {
    const { csvFormat } = await import('./csv-format.ts')
    return csvFormat(options)
  })
}

function expectColumns({ columns, header }: CsvOptions): void {
  if (header === false && columns && Object.keys(columns).length === 0) {
    throw new UsageError('USAGE', 'csv: columns names no column; leave it out or name them all.')
  }
}

function isOneAscii(value: unknown): boolean {
  if (typeof value !== 'string' || value.length !== 1) return false
  return value.charCodeAt(0) < 128 && value !== '\n' && value !== '\r'
}
