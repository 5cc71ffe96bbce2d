import { type DeadLetterEntry, timesRedriven } from '@millrace/processors'
import { recordToJson, textOf } from '../records/record-json.ts'
import { paintData } from '../talk.ts'
import { adviceFor } from './advice.ts'

/** One line of JSON: the record as `consume` prints it, and what became of it. */
export function letterToJson(letter: DeadLetterEntry): string {
  const { origin, offset, timestampMs, key, value, headers } = letter
  const record = recordToJson({ ...origin, offset, timestampMs, key, value, headers })
  const { at, code, cause, column, constraint, file, line, byte, isOriginal } = letter
  const place = { file, line, byte }
  const why = { at, code, cause, column, constraint, ...place, isOriginal }
  const became = { ...why, redriven: timesRedriven(letter) }
  return `${record.slice(0, -1)},${JSON.stringify(became).slice(1)}`
}

/** A paragraph for a person. */
export function letterToText(letter: DeadLetterEntry): string {
  const { origin, offset, timestampMs, at, code, cause, column, constraint, key, value } = letter
  const place = `${origin.topic}[${origin.partition}]@${offset}`
  const times = timesRedriven(letter)
  const facts: [string, string | undefined][] = [
    ['cause', cause],
    ['column', column],
    ['constraint', constraint],
    ['time', timestampMs > 0 ? new Date(timestampMs).toISOString() : undefined],
    ['key', key === null ? undefined : shown(key)],
    ['value', value === null ? '(none: a tombstone)' : shown(value)],
    ['headers', letter.headers.length === 0 ? undefined : headersOf(letter)],
    ['redriven', times === 0 ? undefined : `${times} times, and refused again`],
    ['what to do', adviceFor(letter)],
  ]
  const lines = facts.flatMap(([name, text]) =>
    text === undefined ? [] : [`  ${paintData('dim', name.padEnd(10))}  ${printable(text)}`],
  )
  const heading = paintData('bold', printable(`${place}  ${code} at ${at}`))
  return [heading, ...lines].join('\n')
}

function headersOf({ headers }: DeadLetterEntry): string {
  return headers.map(({ key, value }) => `${key}=${value === null ? '' : shown(value)}`).join(' ')
}

function shown(bytes: Uint8Array): string {
  return textOf(bytes) ?? `base64:${Buffer.from(bytes).toString('base64')}`
}

/** Control characters of a record must not reach the terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '·')
}
