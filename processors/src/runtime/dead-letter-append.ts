import { BatchWriter, type Encoded, type Header, type Log } from '@millrace/core'
import {
  type DeadLetterRecord,
  deadLetterHeaders,
  deadLetterKey,
  deadLetterValue,
} from './dead-letter.ts'

// One letter may be as large as the topic takes, so a large one goes alone; of many, each batch stays
// easy to read.
const BATCH_BYTES = 1024 * 1024

/**
 * Makes dead letters durable by themselves, for stages whose commit is not in the log. Resolves when all
 * are; when it rejects, some may be there, and the same letters overwrite them when they come again.
 */
export async function appendDeadLetters(
  log: Log,
  topic: string,
  letters: readonly DeadLetterRecord[],
): Promise<void> {
  const batch = new BatchWriter()
  const appends: Promise<unknown>[] = []
  const send = (): void =>
    void appends.push(log.append({ topic, partition: 0, batch: batch.finish() }))
  for (const letter of letters) {
    const value = deadLetterValue(letter)
    const headers = deadLetterHeaders(letter)
    if (batch.recordCount > 0 && isLarge(value, headers)) send()
    batch.append(deadLetterKey(letter), value, letter.timestampMs, headers)
    if (batch.sizeBytes >= BATCH_BYTES) send()
  }
  if (batch.recordCount > 0) send()
  await Promise.all(appends)
}

function isLarge(value: Encoded, headers: readonly Header[]): boolean {
  let bytes = value?.length ?? 0
  for (const header of headers) bytes += header.value?.length ?? 0
  return bytes >= BATCH_BYTES
}
