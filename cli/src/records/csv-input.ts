import { MalformedRecord } from '@millrace/processors'
import { csv } from '@millrace/connectors'
import { jsonText, openStdin } from '@millrace/connectors/formats'
import { UsageError } from '@millrace/core'
import type { Pair } from '../columns-option.ts'
import { nearestOrAll } from '../nearest-or-all.ts'
import { typeNamed } from '../load/column-types.ts'
import type { ProducedRecord } from './record-json.ts'

/** How CSV becomes records. */
export interface CsvInput {
  /** Columns that make the key. */
  readonly key?: readonly string[]
  /** Types of columns; the others are text. */
  readonly type?: readonly Pair[]
  readonly delimiter?: string
}

const recordBytesMax = 16 * 1024 * 1024

/**
 * Reads CSV with a header from standard input: each record is a JSON object, its columns the properties.
 * Records before a bad one are given before it is said.
 */
export async function* csvRecords(
  input: CsvInput,
  signal: AbortSignal,
): AsyncGenerator<Iterable<ProducedRecord>> {
  const { key, type = [], delimiter } = input
  const options = {
    columns: Object.fromEntries(type.map(([column, name]) => [column, jsonType(column, name)])),
    ...(delimiter !== undefined && { delimiter: delimiter === '\\t' ? '\t' : delimiter }),
  }
  // What it can't be told is said as it is of any CSV.
  csv('-', options)
  const kind = { format: 'csv', isLenient: true, maxRecordBytes: recordBytesMax, options } as const
  const reader = await openStdin(kind, { position: undefined, signal })
  for await (const { rows } of reader.batches()) yield recordsOf(rows, key)
}

type Row = Readonly<Record<string, unknown>>

function* recordsOf(
  rows: readonly (Row | MalformedRecord)[],
  key: readonly string[] | undefined,
): Generator<ProducedRecord> {
  for (const row of rows) {
    if (row instanceof MalformedRecord) throw row.error
    yield { key: key === undefined ? null : keyOf(row, key), value: Buffer.from(jsonText(row)) }
  }
}

function keyOf(row: Row, names: readonly string[]): Uint8Array {
  const missing = names.find((name) => !Object.hasOwn(row, name))
  if (missing !== undefined) {
    const hint = nearestOrAll(missing, Object.keys(row))
    throw new UsageError('USAGE', `--key ${missing}: the header has no such column.${hint}`)
  }
  return Buffer.from(jsonText(Object.fromEntries(names.map((name) => [name, row[name]]))))
}

const ofJson = ['boolean', 'int32', 'int64', 'float64', 'string', 'json'] as const

/** @throws UsageError JSON has no such type. */
function jsonType(column: string, name: string): (typeof ofJson)[number] {
  const type = typeNamed(column, name)
  const found = ofJson.find((each) => each === type)
  if (found !== undefined) return found
  throw new UsageError(
    'USAGE',
    `--type ${column}=${name}: in JSON that is text, as without --type.`,
  )
}
