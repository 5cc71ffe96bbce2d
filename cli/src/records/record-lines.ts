import { UsageError } from '@millrace/core'
import { type ProducedRecord, recordFromJson } from './record-json.ts'

interface LineFormat {
  readonly input: 'lines' | 'json'
  readonly keySeparator?: string
}

/**
 * How a line becomes a record: its bytes as they are, cut at the key separator, or as JSON.
 *
 * @returns a function of the line and its number, which names that number when the line is no record.
 */
export function lineReader(format: LineFormat): (line: Buffer, number: number) => ProducedRecord {
  const separator = Buffer.from((format.keySeparator ?? '').replaceAll('\\t', '\t'))
  return (line, number) => {
    if (format.input === 'lines') return splitLine(line, number, separator)
    try {
      return recordFromJson(line.toString())
    } catch (cause) {
      throw badLine(number, (cause as Error).message, cause)
    }
  }
}

function splitLine(line: Buffer, number: number, separator: Buffer): ProducedRecord {
  if (separator.length === 0) return { key: null, value: line }
  const at = line.indexOf(separator)
  if (at < 0) throw badLine(number, `it has no "${separator.toString()}" between key and value`)
  return { key: line.subarray(0, at), value: line.subarray(at + separator.length) }
}

function badLine(number: number, reason: string, cause?: unknown): UsageError {
  const end = /[.!?]$/.test(reason) ? '' : '.'
  const message = `Line ${number} of standard input is no record: ${reason}${end}`
  return new UsageError('USAGE', message, { cause })
}
