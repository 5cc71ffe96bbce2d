import type { ColumnType } from '@millrace/processors'
import { jsonText } from '../../json-text.ts'
import type { OutColumn, OutFormat, Part, RowEncoder } from '../out/row-encoder.ts'
import { columnOf } from '../out/row-encoder.ts'
import { TextEncoder, textExtension, type TextCompression } from '../out/text-encoder.ts'
import { dateText, timeText } from '../out/time-text.ts'

/** How CSV is written; RFC 4180 but for the line end's default. */
export interface CsvFormatOptions {
  /** A first line with the columns' names. Default true. */
  readonly header?: boolean
  /** One ASCII character. Default `,`. */
  readonly delimiter?: string
  /** Default `\n`; RFC 4180 has `\r\n`. */
  readonly lineEnd?: '\n' | '\r\n'
  /**
   * What null is written as, without quotes. Default: nothing at all, while an empty string is `""`,
   * as Postgres reads and writes it.
   */
  readonly null?: string
  readonly compression?: TextCompression
}

/** CSV, quoted where it must be; text that says null, an empty string included, is quoted. */
export function csvFormat(options: CsvFormatOptions = {}): OutFormat {
  return {
    name: 'csv',
    extension: textExtension('csv', options.compression),
    needs: 'names',
    begin: (columns, without) => {
      const kept = columns.filter(({ name }) => !without.has(name))
      return encoderOf(kept, options)
    },
  }
}

function encoderOf(columns: readonly OutColumn[], options: CsvFormatOptions): RowEncoder {
  const { header = true, delimiter = ',', lineEnd = '\n', null: nullText = '' } = options
  const special = new RegExp(`[${delimiter.replace(/[\]\\^-]/, '\\$&')}"\\r\\n]`)
  // A line of nothing would be no row to many readers, and \. alone ends the data for older Postgres.
  const isAlone = columns.length === 1
  const field = (text: string | null): string => {
    if (text === null) return isAlone && nullText === '' ? '""' : nullText
    if (text !== nullText && text !== '\\.' && !special.test(text)) return text
    return `"${text.replaceAll('"', '""')}"`
  }
  // Where digits mean nothing else, numbers need no look.
  const arePlain = nullText === '' && !/[\w.+-]/.test(delimiter)
  const fields = columns.map(({ name, type, array }) => {
    const textOf = array === true ? json : fieldText(type)
    const isTime = type === 'timestamp' || type === 'date'
    return (key: Part, value: Part) => {
      const stored = columnOf(key, value, name) ?? null
      if (arePlain && typeof stored === 'number' && !isTime) return `${stored}`
      return field(textOf(stored))
    }
  })
  const rowText = (key: Part, value: Part): string => {
    let line = ''
    for (let c = 0; c < fields.length; c++) {
      const text = fields[c]?.(key, value) ?? ''
      line += c === 0 ? text : delimiter + text
    }
    return line + lineEnd
  }
  const names = columns.map(({ name }) => field(name)).join(delimiter)
  return new TextEncoder(header ? names + lineEnd : '', rowText, options.compression)
}

function fieldText(type: ColumnType | undefined): (value: unknown) => string | null {
  switch (type) {
    case 'json':
      return json
    case 'timestamp':
      return (value) => (typeof value === 'number' ? timeText(value) : plainText(value))
    case 'date':
      return (value) => dateText(value) ?? plainText(value)
    default:
      return plainText
  }
}

function json(value: unknown): string | null {
  return value === null ? null : jsonText(value)
}

function plainText(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
  }
  if (value === null || value === undefined) return null
  if (value instanceof Date) return timeText(value.getTime())
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  return jsonText(value)
}
