import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet'
import type { Column, ColumnType } from '@millrace/processors'

/** How a column's stored values become JavaScript values. */
export type Conversion =
  | 'none'
  /** INT64 whose statistics prove that every value is a safe integer. */
  | 'safe-int64'
  | 'bigint'
  | 'uint64'
  | 'uint32'
  | 'text'
  | 'bytes'
  | 'json'
  | 'uuid'
  | 'float16'
  | 'date'
  | 'timestamp-millis'
  | 'timestamp-micros'
  | 'timestamp-nanos'
  | 'timestamp-int96'
  | 'time-millis'
  | 'time-micros'
  | 'time-nanos'
  | 'decimal'
  /** Lists, maps and structs: assembled by hyparquet, a row group at a time. */
  | 'nested'

/** A top-level column of a Parquet file and how to read it. */
export interface ParquetColumn extends Column {
  readonly conversion: Conversion
  readonly schema: SchemaTree
}

/** Describes the top-level columns of a file from its schema and statistics. */
export function parquetColumns(metadata: FileMetaData, root: SchemaTree): ParquetColumn[] {
  return root.children.map((schema) => {
    const { element } = schema
    const name = element.name
    const nullable = element.repetition_type !== 'REQUIRED'
    const item = listItem(schema)
    if (item) {
      const { type } = flatType(item.element, false)
      return { name, type, nullable, array: true, conversion: 'nested', schema }
    }
    if (schema.children.length > 0 || element.repetition_type === 'REPEATED') {
      return { name, type: 'json', nullable, conversion: 'nested', schema }
    }
    return { name, nullable, schema, ...flatType(element, isSafeInt64(metadata, name)) }
  })
}

/** The element of a list of plain values; undefined for anything else. */
function listItem(schema: SchemaTree): SchemaTree | undefined {
  if (schema.element.converted_type !== 'LIST' && schema.element.logical_type?.type !== 'LIST') {
    return undefined
  }
  const repeated = schema.children[0]
  const item = repeated?.children.length === 1 ? repeated.children[0] : repeated
  return item && item.children.length === 0 ? item : undefined
}

interface FlatType {
  readonly type: ColumnType
  readonly conversion: Conversion
}

function flatType(element: SchemaElement, isSafe: boolean): FlatType {
  return logicalType(element) ?? physicalType(element, isSafe)
}

function logicalType(element: SchemaElement): FlatType | undefined {
  const { logical_type: logical, converted_type: converted, type } = element
  const kind = logical?.type ?? converted
  if (logical?.type === 'TIMESTAMP') {
    return { type: 'timestamp', conversion: `timestamp-${unitOf(logical.unit)}` }
  }
  if (logical?.type === 'TIME') {
    return { type: 'string', conversion: `time-${unitOf(logical.unit)}` }
  }
  if (logical?.type === 'INTEGER' && !logical.isSigned) return unsigned(logical.bitWidth)
  switch (kind) {
    case 'STRING':
    case 'UTF8':
    case 'ENUM':
      return { type: 'string', conversion: 'text' }
    case 'JSON':
      return { type: 'json', conversion: 'json' }
    case 'UUID':
      return { type: 'uuid', conversion: 'uuid' }
    case 'FLOAT16':
      return { type: 'float64', conversion: 'float16' }
    case 'DATE':
      return { type: 'date', conversion: 'date' }
    case 'DECIMAL':
      return { type: 'decimal', conversion: 'decimal' }
    case 'TIMESTAMP_MILLIS':
      return { type: 'timestamp', conversion: 'timestamp-millis' }
    case 'TIMESTAMP_MICROS':
      return { type: 'timestamp', conversion: 'timestamp-micros' }
    case 'TIME_MILLIS':
      return { type: 'string', conversion: 'time-millis' }
    case 'TIME_MICROS':
      return { type: 'string', conversion: 'time-micros' }
    case 'UINT_8':
    case 'UINT_16':
      return unsigned(16)
    case 'UINT_32':
      return unsigned(32)
    case 'UINT_64':
      return unsigned(64)
    default:
      return type === 'INT96' ? { type: 'timestamp', conversion: 'timestamp-int96' } : undefined
  }
}

function physicalType(element: SchemaElement, isSafe: boolean): FlatType {
  switch (element.type) {
    case 'BOOLEAN':
      return { type: 'boolean', conversion: 'none' }
    case 'INT32':
      return { type: 'int32', conversion: 'none' }
    case 'INT64':
      return { type: 'int64', conversion: isSafe ? 'safe-int64' : 'bigint' }
    case 'FLOAT':
    case 'DOUBLE':
      return { type: 'float64', conversion: 'none' }
    default:
      return { type: 'bytes', conversion: 'bytes' }
  }
}

function unsigned(bits: number): FlatType {
  if (bits === 64) return { type: 'decimal', conversion: 'uint64' }
  return bits === 32
    ? { type: 'int64', conversion: 'uint32' }
    : { type: 'int32', conversion: 'none' }
}

function unitOf(unit: 'MILLIS' | 'MICROS' | 'NANOS'): 'millis' | 'micros' | 'nanos' {
  return unit.toLowerCase() as 'millis' | 'micros' | 'nanos'
}

/** Do the statistics of every row group prove a column's integers safe as numbers? */
function isSafeInt64(metadata: FileMetaData, name: string): boolean {
  return metadata.row_groups.every((group) => {
    const chunk = group.columns.find(({ meta_data: data }) => data?.path_in_schema[0] === name)
    const statistics = chunk?.meta_data?.statistics
    const min = statistics?.min_value ?? statistics?.min
    const max = statistics?.max_value ?? statistics?.max
    if (typeof min !== 'bigint' || typeof max !== 'bigint') {
      return statistics?.null_count === group.num_rows
    }
    return min >= Number.MIN_SAFE_INTEGER && max <= Number.MAX_SAFE_INTEGER
  })
}
