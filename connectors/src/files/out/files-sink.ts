import { basename } from 'node:path'
import {
  anything,
  bytes,
  checkArgument,
  type Checks,
  count,
  milliseconds,
  required,
  text,
} from '@millrace/core/options'
import type { Sink } from '@millrace/processors'
import type { OutFormat } from './row-encoder.ts'
import { type ColumnsOf, type PathBy, pathRule } from './path-rule.ts'

/** Where files go and when they are closed. */
export interface FilesOptions<By extends PathBy = PathBy> {
  /**
   * Directories `name=value` as Hive has them: by columns (`'origin'`, `['carrier', 'origin']`), which
   * files then leave out; by parts of a time, in UTC (`{ dt: { day: 'date' }, hour: { hour: 'date' } }`);
   * or by functions of the row.
   */
  readonly partitionBy?: By
  /** A file that has grown to so many bytes is closed, and with it all of its task. Default 128 MiB. */
  readonly rollBytes?: number
  /** The same for rows. Default: as many as come. */
  readonly rollRows?: number
  /** Files are closed so long after their first row. Default 10 minutes. */
  readonly rollMs?: number
  /** Descriptors of each task at most; with more files, they take turns. Default 64. */
  readonly openFilesMax?: number
  /** Tells sinks of one name in a pipeline apart. */
  readonly name?: string
}

/** Of `partitionBy` its own rule knows more. */
export const filesChecks: Checks<FilesOptions> = {
  partitionBy: anything,
  rollBytes: bytes(),
  rollRows: count(),
  rollMs: milliseconds(1),
  openFilesMax: count(),
  name: text,
}

/**
 * Makes a sink of files of a format, by options that were checked.
 *
 * @throws UsageError for a `partitionBy` that makes no path.
 */
export function filesSink<By extends PathBy>(
  directory: string,
  options: FilesOptions<By>,
  kind: string,
  loadFormat: () => Promise<OutFormat>,
): Sink<Readonly<Record<ColumnsOf<By>, unknown>>> {
  checkArgument(`${kind}.files`, 'its directory', directory, required(text))
  const name = options.name ?? `${kind} ${basename(directory)}`
  const spec = {
    name,
    directory,
    rule: pathRule(options.partitionBy, name),
    limits: {
      rollBytes: options.rollBytes ?? 128 * 1024 * 1024,
      rollRows: options.rollRows ?? Number.MAX_SAFE_INTEGER,
      rollMs: options.rollMs ?? 10 * 60_000,
      openFilesMax: options.openFilesMax ?? 64,
    },
  }
  return {
    kind: 'sink',
    name,
    guarantee: 'exactly-once',
    mode: 'append',
    async open(context) {
      // Encoders are loaded when a sink is opened, not whenever a pipeline is described.
      const { openFiles } = await import('./open-files.ts')
      return openFiles({ ...spec, format: await loadFormat() }, context)
    },
  }
}
