import {
  batchSizeBytes,
  crcMatches,
  findHeaderFault,
  HEADER_BYTES,
  readHeader,
} from '../batch/header.ts'
import { batchMemory } from '../batch/batch-memory.ts'
import type { BatchHeader } from '../batch/header.ts'
import type { PartitionLog } from './partition-log.ts'
import type { Segment } from './segment.ts'
import { readFully } from './transfer.ts'

/** What to read of a partition. */
export interface ReadRequest {
  readonly offset: number
  /** Batches from here on are not given. */
  readonly limitOffset: number
  /** The first batch comes even when it is larger. */
  readonly maxBytes: number
  readonly leaveOutAborted: boolean
}

/** Whole batches, and where to go on. */
export interface ReadResult {
  readonly batches: Uint8Array
  readonly nextOffset: number
  readonly nextLeaderEpoch: number
}

/** Room for what an index entry may lie in front of the batch wanted. */
const SLACK_BYTES = 4096

/** One answer holds no more, unless its first batch is larger: readers come again for the rest. */
const READ_BYTES_MAX = 32 * 1024 * 1024

const NOTHING = new Uint8Array(0)

/**
 * Reads batches as they lie on the disk, each checked by its CRC, its neighbours and its epoch.
 *
 * @throws CorruptDataError naming file and position, when the first batch wanted cannot be right;
 *   batches before a damaged one are given. RejectedError OFFSET_OUT_OF_RANGE when the offset is
 *   trimmed meanwhile.
 */
export async function readBatches(log: PartitionLog, request: ReadRequest): Promise<ReadResult> {
  const segment = log.segmentAt(request.offset)
  if (segment === undefined || request.offset >= request.limitOffset) {
    return {
      batches: NOTHING,
      nextOffset: request.offset,
      nextLeaderEpoch: log.epochs.at(request.offset - 1),
    }
  }
  const position = segment.positionNear(request.offset)
  segment.lease()
  try {
    const maxBytes = Math.min(request.maxBytes, READ_BYTES_MAX)
    let wantedBytes = Math.max(maxBytes + SLACK_BYTES, HEADER_BYTES)
    for (;;) {
      const walk = new BatchWalk(log, segment, request, position)
      await walk.load(wantedBytes)
      // Race: (1) a read begins, (2) a trim passes it and forgets which batches there were aborted.
      if (log.startOffset > request.offset) throw log.outOfRange(request.offset)
      walk.run()
      if (walk.missingBytes === 0) return walk.result()
      walk.giveBack()
      // The first batch wanted is larger, or further on, than was read: read on to its end.
      wantedBytes = Math.max(wantedBytes * 2, walk.missingBytes)
    }
  } finally {
    await segment.release()
  }
}

/** One pass over the bytes read; keeps the batches wanted and closes the holes between them. */
class BatchWalk {
  /** More than were read: the first batch wanted ends there. */
  missingBytes = 0
  readonly #log: PartitionLog
  readonly #segment: Segment
  readonly #request: ReadRequest
  readonly #filePosition: number
  #bytes: Buffer = Buffer.alloc(0)
  #isShort = false
  #at = 0
  #keptFrom = 0
  #keptTo = 0
  #nextOffset: number
  #expectedOffset = -1

  constructor(log: PartitionLog, segment: Segment, request: ReadRequest, filePosition: number) {
    this.#log = log
    this.#segment = segment
    this.#request = request
    this.#filePosition = filePosition
    this.#nextOffset = request.offset
  }

  async load(wantedBytes: number): Promise<void> {
    const available = this.#segment.sizeBytes - this.#filePosition
    const bytes = batchMemory.take(Math.min(wantedBytes, available))
    const wanted = bytes.subarray(0, Math.min(wantedBytes, available))
    const count = await readFully(this.#segment.file, wanted, this.#filePosition)
    this.#bytes = wanted.subarray(0, count)
    this.#isShort = count < wanted.length
  }

  /** What was read is looked at no more. */
  giveBack(): void {
    batchMemory.giveBack(this.#bytes)
  }

  run(): void {
    while (this.#at < this.#bytes.length) {
      const sizeBytes = this.#sizeOfWhole()
      if (sizeBytes === 0) return
      const header = readHeader(this.#bytes, this.#at)
      const fault = this.#findFault(header)
      if (fault !== undefined) return this.#stopAt(fault)
      if (header.baseOffset >= this.#request.limitOffset) return
      if (!this.#take(header)) return
      this.#expectedOffset = header.baseOffset + header.lastOffsetDelta + 1
      this.#nextOffset = Math.max(this.#nextOffset, this.#expectedOffset)
      this.#at += sizeBytes
    }
    if (this.#isShort) this.#stopAt('the file ends before its batches do')
    // Everything read lies before the batch wanted.
    else if (this.#at > 0 && this.#nextOffset === this.#request.offset) {
      if (this.#filePosition + this.#at < this.#segment.sizeBytes) this.missingBytes = this.#at + 1
      else this.#stopAt('the segment ends before the batch looked for')
    }
  }

  result(): ReadResult {
    return {
      batches: this.#bytes.subarray(this.#keptFrom, this.#keptTo),
      nextOffset: this.#nextOffset,
      nextLeaderEpoch: this.#log.epochs.at(this.#nextOffset - 1),
    }
  }

  /** Size of the batch here; 0 when the bytes read do not hold the whole of it. */
  #sizeOfWhole(): number {
    const fileLeft = this.#segment.sizeBytes - this.#filePosition - this.#at
    const left = this.#bytes.length - this.#at
    const headerMissing = left < HEADER_BYTES
    const fault = headerMissing ? undefined : findHeaderFault(this.#bytes, this.#at)
    const sizeBytes = headerMissing ? HEADER_BYTES : batchSizeBytes(this.#bytes, this.#at)
    if (fault !== undefined || sizeBytes > fileLeft) {
      this.#stopAt(fault ?? 'it reaches past the end of the file')
      return 0
    }
    if (sizeBytes <= left) return sizeBytes
    if (this.#isShort) this.#stopAt('the file ends before its batches do')
    else if (this.#nextOffset === this.#request.offset) this.missingBytes = this.#at + sizeBytes
    return 0
  }

  #findFault(header: BatchHeader): string | undefined {
    const { baseOffset, sizeBytes } = header
    if (this.#expectedOffset < 0 && baseOffset > this.#request.offset) {
      return `it starts at offset ${baseOffset}, behind the one looked for`
    }
    if (this.#expectedOffset >= 0 && baseOffset !== this.#expectedOffset) {
      return `it starts at offset ${baseOffset} where ${this.#expectedOffset} is due`
    }
    const epoch = this.#log.epochs.at(baseOffset)
    if (header.leaderEpoch !== epoch) {
      return `its leader epoch is ${header.leaderEpoch} where ${epoch} is due`
    }
    if (!crcMatches(this.#bytes, this.#at, sizeBytes)) return 'its checksum does not match'
    return undefined
  }

  /** Keeps the batch here if it is wanted; false when the answer is full. */
  #take(header: BatchHeader): boolean {
    const { baseOffset, sizeBytes } = header
    if (baseOffset + header.lastOffsetDelta < this.#request.offset) return true
    const isLeftOut =
      this.#request.leaveOutAborted &&
      header.isTransactional &&
      !header.isControl &&
      this.#log.transactions.isAborted(header.producerId, header.producerEpoch, baseOffset)
    if (isLeftOut) return true
    const keptBytes = this.#keptTo - this.#keptFrom
    if (keptBytes > 0 && keptBytes + sizeBytes > this.#request.maxBytes) return false
    if (keptBytes === 0) this.#keptFrom = this.#keptTo = this.#at
    if (this.#keptTo !== this.#at) {
      this.#bytes.copyWithin(this.#keptTo, this.#at, this.#at + sizeBytes)
    }
    this.#keptTo += sizeBytes
    return true
  }

  /** A damaged batch ends the answer; when it is the first one wanted, it is the answer. */
  #stopAt(fault: string): void {
    if (this.#nextOffset > this.#request.offset) return
    throw this.#log.corrupt(this.#segment, this.#filePosition + this.#at, fault)
  }
}
