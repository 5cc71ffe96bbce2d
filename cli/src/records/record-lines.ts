import { untilAborted } from '@millrace/connectors/formats'
import { UsageError } from '@millrace/core'
import { lines } from './lines.ts'
import { type ProducedRecord, recordFromJson } from './record-json.ts'

interface LineFormat {
  readonly input: 'lines' | 'json'
  readonly keySeparator?: string
}

/**
 * Reads lines from standard input as records: their bytes as they are, cut at the key separator, or as
 * JSON. A line that is no record is named by its number, once those before it were given.
 */
export async function* lineRecords(
  format: LineFormat,
  signal: AbortSignal,
): AsyncGenerator<Iterable<ProducedRecord>> {
  const separator = Buffer.from((format.keySeparator ?? '').replaceAll('\\t', '\t'))
  let number = 0
  function* recordsOf(some: readonly Buffer[]): Generator<ProducedRecord> {
    for (const line of some) {
      number += 1
      yield format.input === 'json' ? parseLine(line, number) : splitLine(line, number, separator)
    }
  }
  for await (const some of lines(untilAborted(process.stdin, signal))) {
    // Half a line is none.
    if (signal.aborted) return
    yield recordsOf(some)
  }
}

function parseLine(line: Buffer, number: number): ProducedRecord {
  try {
    return recordFromJson(line.toString())
  } catch (cause) {
    throw badLine(number, (cause as Error).message, cause)
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
