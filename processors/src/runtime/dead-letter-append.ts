import { BatchWriter, type Log } from '@millrace/core'
import {
  type DeadLetterRecord,
  deadLetterHeaders,
  deadLetterKey,
  deadLetterValue,
} from './dead-letter.ts'

// One letter may be as large as the topic takes; of many, each batch stays easy to read.
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
    const { timestampMs } = letter
    batch.append(
      deadLetterKey(letter),
      deadLetterValue(letter),
      timestampMs,
      deadLetterHeaders(letter),
    )
    if (batch.sizeBytes >= BATCH_BYTES) send()
  }
  if (batch.recordCount > 0) send()
  await Promise.all(appends)
}
