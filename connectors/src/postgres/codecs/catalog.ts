import { arrayOf } from './arrays.ts'
import { bool } from './boolean.ts'
import { bytea } from './bytes.ts'
import type { ColumnCodec } from './column-codec.ts'
import { float4, float8 } from './floats.ts'
import { int2, int4, int8 } from './integers.ts'
import { json, jsonb } from './json.ts'
import { numeric } from './numeric.ts'
import { textOf } from './text.ts'
import { date, timestamp, timestamptz } from './times.ts'
import { uuid } from './uuid.ts'

/** What the server's catalog says of a type (`pg_type`). */
export interface CatalogType {
  readonly oid: number
  readonly name: string
  /** `b` base, `e` enum, `d` domain, … */
  readonly kind: string
  /** `A`: an array. */
  readonly category: string
  readonly elementOid: number
  readonly baseOid: number
}

/** Built-in types have the same numbers in every PostgreSQL. */
const builtIn: ReadonlyMap<number, ColumnCodec> = new Map([
  [16, bool],
  [17, bytea],
  [20, int8],
  [21, int2],
  [23, int4],
  [25, textOf('text')],
  [114, json],
  [700, float4],
  [701, float8],
  [1042, textOf('character')],
  [1043, textOf('character varying')],
  [1082, date],
  [1114, timestamp],
  [1184, timestamptz],
  [1700, numeric],
  [2950, uuid],
  [3802, jsonb],
])

/** The codec of a column's type; undefined for types that only text COPY can carry. */
export function codecOf(
  oid: number,
  catalog: ReadonlyMap<number, CatalogType>,
): ColumnCodec | undefined {
  const known = builtIn.get(oid)
  if (known !== undefined) return known
  const type = catalog.get(oid)
  if (type === undefined) return undefined
  if (type.kind === 'e') return textOf(type.name)
  if (type.kind === 'd') return codecOf(type.baseOid, catalog)
  if (type.category !== 'A') return undefined
  const element = codecOf(type.elementOid, catalog)
  return element === undefined ? undefined : arrayOf(element, type.elementOid)
}
