import {
  batchSizeBytes,
  crcMatches,
  FIELD,
  findHeaderFault,
  HEADER_BYTES,
  readHeader,
} from '../batch/header.ts'
import type { File } from '../io/index.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { readFully } from './transfer.ts'

/** Where to look for a batch that proves that an earlier fault is no torn tail. */
export interface LaterBatchSearch {
  readonly from: number
  readonly to: number
  readonly faultPosition: number
  /** Offset of the first record lost by the fault. */
  readonly endOffset: number
  readonly epochs: LeaderEpochs
}

const CHUNK_BYTES = 1024 * 1024
// A compressed batch holds many records in few bytes; beyond this it is not from this log.
const RECORDS_PER_BYTE_MAX = 4096

/** A whole batch found behind a fault. */
export interface LaterBatch {
  readonly position: number
  readonly baseOffset: number
}

/**
 * The first whole batch of this log behind a fault; `undefined` when there is none. A value may hold
 * the bytes of a batch, so its offset and epoch must also continue this very log.
 */
export async function findLaterBatch(
  file: File,
  search: LaterBatchSearch,
): Promise<LaterBatch | undefined> {
  const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(CHUNK_BYTES, search.to - search.from)))
  for (let start = search.from; start + HEADER_BYTES <= search.to;) {
    const length = await readFully(file, buffer.subarray(0, search.to - start), start)
    if (length < HEADER_BYTES) return undefined
    const bytes = buffer.subarray(0, length)
    for (let at = bytes.indexOf(2, FIELD.magic); at >= 0; at = bytes.indexOf(2, at + 1)) {
      const position = at - FIELD.magic
      if (!isPlausible(bytes, position, start + position, search)) continue
      if (await isWhole(file, start + position, batchSizeBytes(bytes, position))) {
        const { baseOffset } = readHeader(bytes, position)
        return { position: start + position, baseOffset }
      }
    }
    start += length - HEADER_BYTES + 1
  }
  return undefined
}

function isPlausible(
  bytes: Uint8Array,
  position: number,
  filePosition: number,
  search: LaterBatchSearch,
): boolean {
  if (findHeaderFault(bytes, position) !== undefined) return false
  const { baseOffset, leaderEpoch, sizeBytes } = readHeader(bytes, position)
  const recordsMax = (filePosition - search.faultPosition) * RECORDS_PER_BYTE_MAX
  return (
    filePosition + sizeBytes <= search.to &&
    baseOffset > search.endOffset &&
    baseOffset <= search.endOffset + recordsMax &&
    leaderEpoch === search.epochs.at(baseOffset)
  )
}

async function isWhole(file: File, position: number, sizeBytes: number): Promise<boolean> {
  const batch = Buffer.allocUnsafe(sizeBytes)
  const count = await readFully(file, batch, position)
  return count === sizeBytes && crcMatches(batch, 0, sizeBytes)
}
