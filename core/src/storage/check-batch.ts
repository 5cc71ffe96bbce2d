import { crcMatches, findHeaderFault, readHeader, stampCrc } from '../batch/header.ts'
import type { BatchHeader } from '../batch/header.ts'
import { RejectedError } from '../errors.ts'

/**
 * Reads the header of a batch that comes from outside; one that `needsCrc` gets it.
 *
 * @throws RejectedError RECORD_INVALID unless it is exactly one whole data batch; RECORD_TOO_LARGE.
 */
export function checkBatch(
  batch: Uint8Array,
  needsCrc: boolean,
  topic: string,
  maxMessageBytes: number,
): BatchHeader {
  const fault = findHeaderFault(batch, 0)
  if (fault !== undefined) throw invalidBatch(topic, fault)
  const header = readHeader(batch, 0)
  const { sizeBytes } = header
  if (sizeBytes !== batch.length) throw invalidBatch(topic, 'it is not exactly one batch')
  if (sizeBytes > maxMessageBytes) {
    throw new RejectedError(
      'RECORD_TOO_LARGE',
      `A batch of ${sizeBytes} bytes is larger than topic ${topic} accepts (maxMessageBytes is ${maxMessageBytes}). ` +
        `Nothing was written; send smaller batches or raise maxMessageBytes.`,
      { facts: { topic, sizeBytes, maxMessageBytes } },
    )
  }
  if (header.isControl) throw invalidBatch(topic, 'only the log writes control batches')
  if (header.recordCount === 0 || header.recordCount !== header.lastOffsetDelta + 1) {
    throw invalidBatch(topic, 'its offsets have gaps')
  }
  if (needsCrc) stampCrc(batch)
  else if (!crcMatches(batch, 0, sizeBytes))
    throw invalidBatch(topic, 'its checksum does not match')
  return header
}

function invalidBatch(topic: string, fault: string): RejectedError {
  return new RejectedError(
    'RECORD_INVALID',
    `A record batch for topic ${topic} was refused: ${fault}. Nothing was written.`,
    { facts: { topic, fault } },
  )
}
