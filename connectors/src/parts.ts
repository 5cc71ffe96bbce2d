import { type Check, expecting, oneOf, recordOf } from '@millrace/core/options'
import type { ColumnType } from '@millrace/processors'

const TYPES = {
  boolean: true,
  int32: true,
  int64: true,
  float64: true,
  decimal: true,
  string: true,
  bytes: true,
  timestamp: true,
  date: true,
  uuid: true,
  json: true,
} satisfies Record<ColumnType, true>

/** Types by names of columns. */
export const columnTypes: Check = recordOf(oneOf(...Object.keys(TYPES)))

/** What a pipeline or a load reads from. */
export const anySource: Check = expecting('a source, such as csv(…)', (value) =>
  isOfKind(value, 'source'),
)

/** What a pipeline or a load writes to. */
export const anySink: Check = expecting('a sink, such as postgres.table(…)', (value) =>
  isOfKind(value, 'sink'),
)

function isOfKind(value: unknown, kind: string): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind
}
