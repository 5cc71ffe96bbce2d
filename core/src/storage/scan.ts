import { crcMatches, findHeaderFault, HEADER_BYTES, readHeader } from '../batch/header.ts'
import type { BatchHeader } from '../batch/header.ts'
import { readControlBatch } from '../batch/control.ts'
import type { File } from '../io/index.ts'
import { readFully } from './transfer.ts'

/** A batch met by a scan. */
export interface ScannedBatch {
  readonly header: BatchHeader
  readonly position: number
  /** How the transaction ended, for a marker. */
  readonly outcome: 'commit' | 'abort' | undefined
}

/** Where a scan had to stop, and why; `fault` is absent at the regular end. */
export interface ScanEnd {
  readonly position: number
  /** Good batches met. */
  readonly batches: number
  readonly fault: string | undefined
}

/** What a scan is asked to do. */
export interface Scan {
  readonly from: number
  /** Bytes from here on are not looked at. */
  readonly to: number
  /** Read every byte and check the CRCs; otherwise only headers and markers are read. */
  readonly checkCrc: boolean
  /** What the neighbours demand of a batch; answers with the fault found. */
  readonly check: (header: BatchHeader) => string | undefined
  readonly visit: (batch: ScannedBatch) => void
  /** Asked before each batch; true ends the scan there. */
  readonly isDone?: () => boolean
}

const WINDOW_BYTES = 256 * 1024
const HEADER_WINDOW_BYTES = 4096
// Where many batches fit in a window, reading them all costs less than a read for each few.
const SMALL_BATCH_BYTES = 4096

/** Walks from batch to batch and stops at the first that cannot be what was written there. */
export async function scanBatches(file: File, scan: Scan): Promise<ScanEnd> {
  const window = new Window(file, scan.to)
  let position = scan.from
  let sizeBytes: number | string = 0
  let batches = 0
  while (position < scan.to && scan.isDone?.() !== true) {
    const readsAhead = scan.checkCrc || sizeBytes < SMALL_BATCH_BYTES
    const windowBytes = readsAhead ? WINDOW_BYTES : HEADER_WINDOW_BYTES
    if (!window.holds(position, HEADER_BYTES)) await window.load(position, windowBytes)
    const checkedBytes = bytesToCheck(window, position, scan)
    if (!window.holds(position, checkedBytes)) {
      await window.load(position, Math.max(checkedBytes, windowBytes))
    }
    sizeBytes = examine(window, position, scan)
    if (typeof sizeBytes === 'string') return { position, batches, fault: sizeBytes }
    position += sizeBytes
    batches++
  }
  return { position, batches, fault: undefined }
}

/** How much of the batch at `position` its check has to see: the whole, or no more than its header. */
function bytesToCheck(window: Window, position: number, scan: Scan): number {
  const at = position - window.start
  if (findHeaderFault(window.bytes, at) !== undefined) return 0
  const { sizeBytes, isControl } = readHeader(window.bytes, at)
  return (scan.checkCrc || isControl) && position + sizeBytes <= scan.to ? sizeBytes : 0
}

/** Size of the good batch at `position`, or its fault. */
function examine(window: Window, position: number, scan: Scan): number | string {
  const at = position - window.start
  const headerFault = findHeaderFault(window.bytes, at)
  if (headerFault !== undefined) return headerFault
  const header = readHeader(window.bytes, at)
  const { sizeBytes, isControl } = header
  if (position + sizeBytes > scan.to) return 'it is cut short'
  const neighbourFault = scan.check(header)
  if (neighbourFault !== undefined) return neighbourFault
  if ((scan.checkCrc || isControl) && !crcMatches(window.bytes, at, sizeBytes)) {
    return 'its checksum does not match'
  }
  const outcome = isControl ? readControlBatch(window.bytes, at).outcome : undefined
  scan.visit({ header, position, outcome })
  return sizeBytes
}

/** The part of a file that is in memory. */
class Window {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  readonly #file: File
  readonly #end: number

  constructor(file: File, end: number) {
    this.#file = file
    this.#end = end
  }

  /** Whether the bytes from `position` on are here, as far as the scan goes. */
  holds(position: number, bytes: number): boolean {
    const end = Math.min(position + bytes, this.#end)
    return position >= this.start && end <= this.start + this.bytes.length
  }

  async load(position: number, bytes: number): Promise<void> {
    const loaded = Buffer.allocUnsafe(Math.min(bytes, this.#end - position))
    const count = await readFully(this.#file, loaded, position)
    this.bytes = loaded.subarray(0, count)
    this.start = position
  }
}
