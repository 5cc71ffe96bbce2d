import type { Header, TopicPartition } from '@millrace/core'

/** A record as it lay in its topic. */
export interface OriginalRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
}

/** A record that was passed over, as it goes to the topic `<pipeline>-dead-letters`. */
export interface DeadLetterRecord extends OriginalRecord {
  readonly origin: TopicPartition
  readonly offset: number
  readonly timestampMs: number
  /** The operator or sink that could not take it. */
  readonly at: string
  /** An error code of ours, or the SQLSTATE with which a database refused it. */
  readonly code: string
  readonly cause: string
  /** The column of the table that was at fault, where it is known. */
  readonly column?: string | undefined
  /** The constraint that the row broke, where it is known. */
  readonly constraint?: string | undefined
  /** Where the record stands in its file, where it is the line of one. */
  readonly file?: string | undefined
  readonly line?: number | undefined
  readonly byte?: number | undefined
  /** Key, value and headers are those of the record; else they are what a source or an operator made. */
  readonly isOriginal: boolean
  /** The group whose position tells when this record was passed; none: it was when the letter was written. */
  readonly group?: string | undefined
}

/** A copy of its own: what was read lies in buffers that are used again. */
export function copyOfRecord({ key, value, headers }: OriginalRecord): OriginalRecord {
  return {
    key: copyOf(key),
    value: copyOf(value),
    headers: headers.map((header) => ({ key: header.key, value: copyOf(header.value) })),
  }
}

/** The topic that a pipeline's dead letters go to. */
export function deadLetterTopic(pipeline: string): string {
  return `${pipeline}-dead-letters`
}

/** The same record refused again at the same place has the same key, so that it overwrites. */
export function deadLetterKey({
  origin,
  offset,
  at,
}: Pick<DeadLetterRecord, 'origin' | 'offset' | 'at'>): string {
  return `${origin.topic}/${origin.partition}/${offset}/${at}`
}

/** A letter never lacks a value, for that would be the tombstone of the letter before it. */
export function deadLetterValue({ value }: DeadLetterRecord): Uint8Array {
  return value ?? EMPTY
}

/** Where it came from and why it is here; the record's own headers come after these. */
export function deadLetterHeaders(letter: DeadLetterRecord): Header[] {
  const { origin, key, value, column, constraint, file, line, byte, group, headers } = letter
  const own = [
    text('code', letter.code),
    text('cause', letter.cause),
    text('at', letter.at),
    text('topic', origin.topic),
    text('partition', String(origin.partition)),
    text('offset', String(letter.offset)),
    text('timestamp', String(letter.timestampMs)),
  ]
  if (column !== undefined) own.push(text('column', column))
  if (constraint !== undefined) own.push(text('constraint', constraint))
  if (file !== undefined) own.push(text('file', file))
  if (line !== undefined) own.push(text('line', String(line)))
  if (byte !== undefined) own.push(text('byte', String(byte)))
  if (group !== undefined) own.push(text('group', group))
  if (key !== null) own.push({ key: `${PREFIX}key`, value: key })
  if (value === null) own.push(text('value', 'null'))
  own.push(text('record', letter.isOriginal ? 'original' : 'made'))
  own.push(text('headers', String(headers.length)))
  return [...own, ...headers]
}

/** Reads back what was written; undefined for a record that is no dead letter. */
export function readDeadLetter(
  headers: readonly Header[],
  value: Uint8Array | null,
): DeadLetterRecord | undefined {
  const end = headers.findIndex(({ key }) => key === `${PREFIX}headers`)
  if (end < 0 || value === null) return undefined
  const own = new Map(headers.slice(0, end).map((header) => [header.key, header.value]))
  const found = (name: string): string | undefined => {
    const bytes = own.get(`${PREFIX}${name}`)
    return bytes === undefined || bytes === null ? undefined : Buffer.from(bytes).toString()
  }
  const number = (name: string): number | undefined => {
    const digits = found(name)
    return digits === undefined ? undefined : Number(digits)
  }
  const topic = found('topic')
  const at = found('at')
  if (topic === undefined || at === undefined) return undefined
  return {
    origin: { topic, partition: Number(found('partition')) },
    offset: Number(found('offset')),
    timestampMs: Number(found('timestamp')),
    at,
    code: found('code') ?? 'UNKNOWN',
    cause: found('cause') ?? '',
    column: found('column'),
    constraint: found('constraint'),
    file: found('file'),
    line: number('line'),
    byte: number('byte'),
    group: found('group'),
    isOriginal: found('record') === 'original',
    key: own.get(`${PREFIX}key`) ?? null,
    value: found('value') === 'null' ? null : value,
    headers: headers.slice(end + 1),
  }
}

/** Stands in for the bytes of a record that has none: a source's row, or what an operator made. */
export function bytesOfValue(value: unknown): Uint8Array | null {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) return value
  const plain = (_: string, part: unknown) => (typeof part === 'bigint' ? String(part) : part)
  return Buffer.from(JSON.stringify(value, plain) ?? '')
}

const PREFIX = 'millrace.'
const EMPTY = new Uint8Array(0)

function text(name: string, value: string): Header {
  return { key: `${PREFIX}${name}`, value: Buffer.from(value) }
}

function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : Buffer.from(bytes)
}
