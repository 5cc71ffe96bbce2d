import { type Header, UsageError } from '@millrace/core'
import { didYouMean } from '@millrace/core/options'

/** A record as `consume` prints it. */
export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
}

/** A record as `produce` reads it. */
export interface ProducedRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestampMs?: number
  readonly headers?: readonly Header[]
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * One line of JSON for a record. What holds a JSON object, array, number or boolean is embedded as it
 * is; other text is a JSON string, absence is null, and bytes that aren't text stand under another name
 * (`valueBase64`). So `consume -o json | produce -i json` gives the same records again, at most with other
 * white space inside their JSON.
 */
export function recordToJson(record: ConsumedRecord): string {
  const { topic, partition, offset, timestampMs, key, value, headers } = record
  const place = `"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset}`
  const content = `${field('key', key)},${field('value', value)}`
  const end = headers.length === 0 ? '' : `,"headers":[${headers.map(headerToJson).join(',')}]`
  return `{${place},"timestampMs":${timestampMs},${content}${end}}`
}

function headerToJson({ key, value }: Header): string {
  return `{"key":${JSON.stringify(key)},${field('value', value)}}`
}

function field(name: string, bytes: Uint8Array | null): string {
  if (bytes === null) return `"${name}":null`
  const text = textOf(bytes)
  if (text === undefined) return `"${name}Base64":"${Buffer.from(bytes).toString('base64')}"`
  // Outside strings a line break is only white space; inside them JSON has none.
  const json = isEmbeddable(text) ? text.replaceAll(/[\r\n]/g, ' ') : JSON.stringify(text)
  return `"${name}":${json}`
}

/** The bytes as text, or undefined when they aren't UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Strings and null are left out: embedded, they could not be told from plain text and absence. So are
 * numbers in another notation than JavaScript's, which would come back as other bytes.
 */
function isEmbeddable(text: string): boolean {
  if (text === 'true' || text === 'false') return true
  if (/^-?\d/.test(text)) return String(Number(text)) === text
  if (!/^\s*[[{]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const fieldNames =
  'topic partition offset timestampMs key keyBase64 value valueBase64 headers'.split(' ')

/**
 * Reads what {@link recordToJson} writes; every field may be left out, and place is not looked at.
 *
 * @throws UsageError when the line is not such an object.
 */
export function recordFromJson(line: string): ProducedRecord {
  const fields = parseObject(line)
  const { timestampMs, headers } = fields
  const unknown = Object.keys(fields).find((name) => !fieldNames.includes(name))
  if (unknown !== undefined) {
    const hint = didYouMean(unknown, fieldNames)
    throw new UsageError('USAGE', `it has the field "${unknown}", which no record has.${hint}`)
  }
  if (
    timestampMs !== undefined &&
    !(Number.isSafeInteger(timestampMs) && Number(timestampMs) >= 0)
  ) {
    throw new UsageError('USAGE', '"timestampMs" must be whole milliseconds since 1970')
  }
  return {
    key: bytesOf(fields, 'key'),
    value: bytesOf(fields, 'value'),
    ...(timestampMs !== undefined && { timestampMs: Number(timestampMs) }),
    ...(headers !== undefined && { headers: headersOf(headers) }),
  }
}

function parseObject(line: string): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(line, keepLongNumbers)
  } catch (cause) {
    throw new UsageError('USAGE', `it is not JSON (${(cause as Error).message})`, { cause })
  }
  if (isObject(parsed)) return parsed
  throw new UsageError('USAGE', 'it is not an object such as {"key":"a","value":{"n":1}}')
}

/** Integers beyond 2^53 keep their digits. */
function keepLongNumbers(_: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source
  if (typeof value !== 'number' || source === undefined || source.length < 16) return value
  return (JSON as { rawJSON?: (text: string) => unknown }).rawJSON?.(source) ?? value
}

function headersOf(headers: unknown): Header[] {
  const isList = Array.isArray(headers) && headers.every((each) => isObject(each))
  if (!isList) throw new UsageError('USAGE', '"headers" must be a list of {"key", "value"}')
  return headers.map((header: Record<string, unknown>) => {
    if (typeof header['key'] !== 'string') {
      throw new UsageError('USAGE', 'the "key" of a header must be text')
    }
    return { key: header['key'], value: bytesOf(header, 'value') }
  })
}

function bytesOf(fields: Record<string, unknown>, name: string): Uint8Array | null {
  const base64 = fields[`${name}Base64`]
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64')
  const value = fields[name]
  if (value === undefined || value === null) return null
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
