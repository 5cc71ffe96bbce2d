import {
  batchSizeBytes,
  crcMatches,
  findHeaderFault,
  HEADER_BYTES,
  readHeader,
} from '../batch/header.ts'
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
}

const WINDOW_BYTES = 256 * 1024
const HEADER_WINDOW_BYTES = 4096

/** Walks from batch to batch and stops at the first that cannot be what was written there. */
export async function scanBatches(file: File, scan: Scan): Promise<ScanEnd> {
  const window = new Window(file, scan.to)
  let position = scan.from
  while (position < scan.to) {
    const fault = await scanOne(window, position, scan)
    if (typeof fault === 'string') return { position, fault }
    position += fault
  }
  return { position, fault: undefined }
}

/** Size of the good batch at `position`, or its fault. */
async function scanOne(window: Window, position: number, scan: Scan): Promise<number | string> {
  await window.reach(position, HEADER_BYTES, scan.checkCrc ? WINDOW_BYTES : HEADER_WINDOW_BYTES)
  const headerFault = findHeaderFault(window.bytes, position - window.start)
  if (headerFault !== undefined) return headerFault
  const sizeBytes = batchSizeBytes(window.bytes, position - window.start)
  if (position + sizeBytes > scan.to) return 'it is cut short'
  const header = readHeader(window.bytes, position - window.start)
  const neighbourFault = scan.check(header)
  if (neighbourFault !== undefined) return neighbourFault
  if (scan.checkCrc || header.isControl) {
    await window.reach(position, sizeBytes, sizeBytes)
    if (!crcMatches(window.bytes, position - window.start, sizeBytes)) {
      return 'its checksum does not match'
    }
  }
  const outcome = header.isControl
    ? readControlBatch(window.bytes, position - window.start).outcome
    : undefined
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

  /** Makes `needed` bytes from `position` on present, as far as the file goes; reads `wanted` at once. */
  async reach(position: number, needed: number, wanted: number): Promise<void> {
    const limit = Math.min(position + needed, this.#end)
    if (position >= this.start && limit <= this.start + this.bytes.length) return
    const bytes = Buffer.allocUnsafe(Math.min(Math.max(needed, wanted), this.#end - position))
    const count = await readFully(this.#file, bytes, position)
    this.bytes = bytes.subarray(0, count)
    this.start = position
  }
}
