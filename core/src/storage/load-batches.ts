import type { BatchHeader } from '../batch/header.ts'
import type { Outcome } from '../transactions/journal-state.ts'
import type { PartitionLog } from './partition-log.ts'
import { scanBatches } from './scan.ts'
import type { ScanEnd } from './scan.ts'
import type { Segment } from './segment.ts'

/** How far and how closely to look. */
export interface LoadOptions {
  /** Bytes from here on are not looked at. */
  readonly to: number
  readonly checkCrc: boolean
  /** Asked before each batch; true ends the load there. */
  readonly isDone?: () => boolean
  /** What its producers wrote is so long past that none of them will send it again. */
  readonly isLongPast?: boolean
  /** Told of each transaction's end marker; without it markers decide at once. */
  readonly onMarker?: (marker: Marker) => void
}

/** A transaction's end marker in a partition. */
export interface Marker {
  readonly producerId: number
  readonly producerEpoch: number
  readonly outcome: Outcome
  readonly offset: number
}

/**
 * Takes note of the batches at the end of what is known of a segment, and stops at the first that cannot
 * be what was written there.
 */
export function loadBatches(
  log: PartitionLog,
  segment: Segment,
  options: LoadOptions,
): Promise<ScanEnd> {
  return scanBatches(segment.file, {
    ...options,
    from: segment.sizeBytes,
    check: (header) => findFault(log, segment, header),
    visit: ({ header, outcome }) => {
      const { producerId, producerEpoch, baseOffset } = header
      log.add(segment, baseOffset, header, options.onMarker === undefined ? outcome : undefined)
      if (outcome !== undefined) {
        options.onMarker?.({ producerId, producerEpoch, outcome, offset: baseOffset })
      }
      if (header.producerId >= 0 && !header.isControl && options.isLongPast !== true) {
        log.producers.note(header, header.baseOffset)
      }
    },
  })
}

/** Base offset, epoch and magic lie outside the CRC: the neighbours and the list of epochs vouch for them. */
function findFault(log: PartitionLog, segment: Segment, header: BatchHeader): string | undefined {
  if (header.baseOffset !== segment.endOffset) {
    return `it starts at offset ${header.baseOffset} where ${segment.endOffset} is due`
  }
  const epoch = log.epochs.at(header.baseOffset)
  if (header.leaderEpoch !== epoch) {
    return `its leader epoch is ${header.leaderEpoch} where ${epoch} is due`
  }
  return undefined
}
