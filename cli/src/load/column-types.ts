import type { ColumnType } from '@millrace/connectors'
import { UsageError } from '@millrace/core'

/** The type that people mean by a name. @throws UsageError there is none. */
export function typeNamed(column: string, name: string): ColumnType {
  const type = types[name.toLowerCase()]
  if (type !== undefined) return type
  const known = Object.keys(types).join(', ')
  throw new UsageError('USAGE', `--type ${column}=${name}: no such type. There are: ${known}.`)
}

/** Names of types that people know from SQL, beside those of columns. */
const types: Readonly<Record<string, ColumnType>> = {
  boolean: 'boolean',
  bool: 'boolean',
  int: 'int32',
  integer: 'int32',
  int32: 'int32',
  bigint: 'int64',
  int64: 'int64',
  double: 'float64',
  float8: 'float64',
  float64: 'float64',
  numeric: 'decimal',
  decimal: 'decimal',
  text: 'string',
  string: 'string',
  bytea: 'bytes',
  bytes: 'bytes',
  timestamptz: 'timestamp',
  timestamp: 'timestamp',
  date: 'date',
  uuid: 'uuid',
  json: 'json',
  jsonb: 'json',
}
