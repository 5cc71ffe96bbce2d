import type { Source } from '@millrace/processors'

/** A source that reads one file. */
export interface FileSource<Row> extends Source<Row> {
  /** Absolute, so that a load is known again from any working directory. */
  readonly path: string
}
