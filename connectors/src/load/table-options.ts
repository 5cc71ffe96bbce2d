import { abortSignal, callback, type Checks, group, required, text } from '@millrace/core/options'
import type { Sink } from '@millrace/processors'
import { anySink } from '../parts.ts'
import { type ColumnMapping, mappingChecks } from './column-mapping.ts'
import type { LoadProgress } from './load-progress.ts'

/** Rows of another database. */
export interface SourceTableOptions {
  readonly url: string
  /** `table` or `schema.table`; or, in its place, a query. */
  readonly table?: string
  readonly query?: string
  readonly mapping?: ColumnMapping
}

/** What `loadTable` is to do. */
export interface TableLoadOptions {
  readonly from: SourceTableOptions
  /** In append mode. */
  readonly sink: Sink<never>
  /** Makes the table with the source's own types, when it is missing. */
  readonly create?: { readonly url: string; readonly table: string }
  /** What this load is remembered by in the sink. Default: the source's database and table. */
  readonly name?: string
  /** Takes everything back. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LoadProgress) => void
  readonly onNotice?: (message: string) => void
}

const from: Checks<SourceTableOptions> = {
  url: required(text),
  table: text,
  query: text,
  mapping: group(mappingChecks),
}

const create: Checks<NonNullable<TableLoadOptions['create']>> = {
  url: required(text),
  table: required(text),
}

/** Whether both or neither of `table` and `query` are named, the load itself says. */
export const tableLoadChecks: Checks<TableLoadOptions> = {
  from: required(group(from)),
  sink: required(anySink),
  create: group(create),
  name: text,
  signal: abortSignal,
  onProgress: callback,
  onNotice: callback,
}
