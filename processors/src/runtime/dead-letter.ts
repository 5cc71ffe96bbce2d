import { BatchWriter, type Header, type Log, type TopicPartition } from '@millrace/core'

/** A record that was passed over, as it goes to the topic `<pipeline>-dead-letters`. */
export interface DeadLetterRecord {
  readonly origin: TopicPartition
  readonly offset: number
  /** The operator or sink that could not take it. */
  readonly at: string
  readonly code: string
  readonly cause: string
  /** The record's bytes as they were read. */
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestampMs: number
}

/** The topic that a pipeline's dead letters go to. */
export function deadLetterTopic(pipeline: string): string {
  return `${pipeline}-dead-letters`
}

/** The same record refused again at the same place has the same key, so that it overwrites. */
export function deadLetterKey({ origin, offset, at }: DeadLetterRecord): string {
  return `${origin.topic}/${origin.partition}/${offset}/${at}`
}

/** Where it came from and why it is here; the value stays as it was. */
export function deadLetterHeaders(letter: DeadLetterRecord): Header[] {
  const headers = [
    text('millrace.code', letter.code),
    text('millrace.cause', letter.cause),
    text('millrace.at', letter.at),
    text('millrace.topic', letter.origin.topic),
    text('millrace.partition', String(letter.origin.partition)),
    text('millrace.offset', String(letter.offset)),
  ]
  if (letter.key !== null) headers.push({ key: 'millrace.key', value: letter.key })
  return headers
}

/** Makes dead letters durable by themselves, for stages whose commit is not in the log. */
export async function appendDeadLetters(
  log: Log,
  topic: string,
  letters: readonly DeadLetterRecord[],
): Promise<void> {
  if (letters.length === 0) return
  const batch = new BatchWriter()
  for (const letter of letters) {
    const { value, timestampMs } = letter
    batch.append(deadLetterKey(letter), value, timestampMs, deadLetterHeaders(letter))
  }
  await log.append({ topic, partition: 0, batch: batch.finish() })
}

/** Stands in for the bytes of a record that has none: a source's row, or what an operator made. */
export function bytesOfValue(value: unknown): Uint8Array | null {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) return value
  const plain = (_: string, part: unknown) => (typeof part === 'bigint' ? String(part) : part)
  return Buffer.from(JSON.stringify(value, plain) ?? '')
}

function text(key: string, value: string): Header {
  return { key, value: Buffer.from(value) }
}
