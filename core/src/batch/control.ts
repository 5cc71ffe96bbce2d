import {
  ATTRIBUTE,
  batchCrc,
  corruptBatch,
  FIELD,
  HEADER_BYTES,
  LENGTH_COUNTS_FROM,
  readHeader,
} from './header.ts'
import { readInt16, writeInt16, writeInt32, writeInt64 } from './integers.ts'

/** How a transaction ended, and whose it was. */
export interface ControlBatch {
  readonly outcome: 'commit' | 'abort'
  readonly producerId: number
  readonly producerEpoch: number
  readonly timestampMs: number
}

const ABORT = 0
const COMMIT = 1

// One record: length, attributes, timestamp delta, offset delta, key (version, type), value (version,
// coordinator epoch), no headers. Every varint in it fits one byte.
const KEY_BYTES = 4
const VALUE_BYTES = 6
const RECORD_BYTES = 4 + KEY_BYTES + 1 + VALUE_BYTES + 1
const KEY_TYPE = HEADER_BYTES + 5 + 2
const BATCH_BYTES = HEADER_BYTES + 1 + RECORD_BYTES

/** Encodes a transaction's end marker as Kafka's own dump tool reads it; the log stamps its offset. */
export function encodeControlBatch(control: ControlBatch): Uint8Array {
  const bytes = new Uint8Array(BATCH_BYTES)
  writeInt32(bytes, FIELD.length, BATCH_BYTES - LENGTH_COUNTS_FROM)
  bytes[FIELD.magic] = 2
  writeInt16(bytes, FIELD.attributes, ATTRIBUTE.transactional | ATTRIBUTE.control)
  writeInt64(bytes, FIELD.baseTimestamp, control.timestampMs)
  writeInt64(bytes, FIELD.maxTimestamp, control.timestampMs)
  writeInt64(bytes, FIELD.producerId, control.producerId)
  writeInt16(bytes, FIELD.producerEpoch, control.producerEpoch)
  writeInt32(bytes, FIELD.baseSequence, -1)
  writeInt32(bytes, FIELD.recordCount, 1)
  bytes[HEADER_BYTES] = RECORD_BYTES << 1
  bytes[HEADER_BYTES + 4] = KEY_BYTES << 1
  writeInt16(bytes, KEY_TYPE, control.outcome === 'commit' ? COMMIT : ABORT)
  bytes[KEY_TYPE + 2] = VALUE_BYTES << 1
  writeInt32(bytes, FIELD.crc, batchCrc(bytes, 0, BATCH_BYTES))
  return bytes
}

/**
 * Reads the end marker at `position`.
 *
 * @throws CorruptDataError when it is no control batch or holds neither a commit nor an abort.
 */
export function readControlBatch(bytes: Uint8Array, position: number): ControlBatch {
  const header = readHeader(bytes, position)
  if (!header.isControl) throw corruptBatch('it is no control batch', position)
  // The key's version comes first; Kafka promises that the type keeps its place in later versions.
  const isWhole = header.sizeBytes >= KEY_TYPE + 2 && position + KEY_TYPE + 2 <= bytes.length
  const type = isWhole ? readInt16(bytes, position + KEY_TYPE) : -1
  if (type !== ABORT && type !== COMMIT) {
    throw corruptBatch(`its control type (${type}) is neither commit nor abort`, position)
  }
  return {
    outcome: type === COMMIT ? 'commit' : 'abort',
    producerId: header.producerId,
    producerEpoch: header.producerEpoch,
    timestampMs: header.baseTimestampMs,
  }
}
