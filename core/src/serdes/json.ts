import type { StandardJSONSchemaV1 } from '@standard-schema/spec'
import { columnsOf } from './json-columns.ts'
import {
  compileDecoder,
  decodeAny,
  INEXACT,
  type JsonDecoder,
  parseExactly,
} from './json-decoder.ts'
import { compileEncoder, encodeAny, type JsonEncoder } from './json-encoder.ts'
import { compilePrinter, type JsonPrinter } from './json-print.ts'
import { compileScan, type JsonScan, UNSCANNED } from './json-scan.ts'
import { shapeOf } from './json-shape.ts'
import { rejectRecord } from './misfit.ts'
import { defineSerde, type Serde } from './serde.ts'
import { decodeText } from './text.ts'

/**
 * Values as JSON. With a schema (any Standard Schema that also gives JSON Schema; zod 4 is the
 * documented one) they come back with its types: dates are stored as epoch milliseconds, bigints as
 * number literals of any size, and sinks take their columns from it. Without a schema, values are what
 * JSON.stringify and JSON.parse make of them; either way an integer that a number would change, and a
 * number beyond a double, is refused. (Digits of a fraction that a double can't hold are rounded.)
 *
 * The schema's types are held to when writing and when reading; its rules (minimum, pattern, …) are
 * not: that is what `validate` is for. Properties that it does not name are not written. A property
 * that is undefined is left out where the schema allows it. NaN, Infinity, invalid dates, and undefined
 * in arrays are refused rather than turned into null. Lone surrogates come back as they were.
 *
 * @throws UsageError when the schema gives no JSON Schema, or has a type that JSON would lose.
 */
export function json<T>(schema: StandardJSONSchemaV1<unknown, T>): Serde<T>
export function json<T = unknown>(): Serde<T>
export function json<T>(schema?: StandardJSONSchemaV1<unknown, T>): Serde<T> {
  if (schema === undefined) return jsonSerde<T>({ encode: encodeAny, decode: decodeAny })
  const shape = shapeOf(schema)
  const columns = columnsOf(shape)
  const serde = jsonSerde<T>({
    print: compilePrinter(shape),
    encode: compileEncoder(shape),
    scan: compileScan(shape),
    decode: compileDecoder(shape),
  })
  return columns === undefined ? serde : { ...serde, columns }
}

/** The general ways in and out, and the fast ones before them for those values that they can do. */
interface JsonWays {
  readonly print?: JsonPrinter | undefined
  readonly encode: JsonEncoder
  readonly scan?: JsonScan | undefined
  readonly decode: JsonDecoder
}

function jsonSerde<T>({ print, encode, scan, decode }: JsonWays): Serde<T> {
  return defineSerde<T>({
    name: 'json',
    copies: true,
    encode(value) {
      try {
        return print?.(value) ?? encode(value)
      } catch (caught) {
        throw rejectRecord('write the value', caught)
      }
    },
    decode(buffer, start, end) {
      const scanned = scan === undefined ? UNSCANNED : scan(buffer, start, end)
      if (scanned !== UNSCANNED) return scanned as T
      const text = decodeText(buffer, start, end)
      try {
        return decodeParsed(decode, text) as T
      } catch (caught) {
        throw rejectRecord('read the value', caught)
      }
    },
  })
}

function decodeParsed(decode: JsonDecoder, text: string): unknown {
  try {
    return decode(JSON.parse(text), false)
  } catch (caught) {
    if (caught !== INEXACT) throw caught
    return decode(parseExactly(text), true)
  }
}
