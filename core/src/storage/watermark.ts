import { crc32c } from '@node-rs/crc32'
import type { UnavailableError } from '../errors.ts'
import { readInt32, readInt64, writeInt32, writeInt64 } from '../batch/integers.ts'
import type { Clock, File, Timer } from '../io/index.ts'
import { readSmallFile } from './checkpoint.ts'
import type { Disk } from './disk.ts'
import { readFully, writeFully } from './transfer.ts'

/** Name of the file that says how much of a partition is known to be on the disk. */
export const WATERMARK_FILE = 'durable-watermark'

/** How far a partition was durable, and visible, at one moment. */
export interface Watermark {
  /** Base offset of the segment, and the position in it, up to which everything is synced. */
  readonly segment: number
  readonly position: number
  /** First offset that readers may not see. */
  readonly visibleOffset: number
}

/** A watermark nobody asks for waits this long after the one before: with many partitions each write counts. */
const PAUSE_MS = 20
/** One that found no room is tried again after this long. */
const RETRY_MS = 1000

const SLOT_BYTES = 36
const SLOT_STRIDE = 512
const CRC_AT = 32
const FILE_BYTES = SLOT_STRIDE + SLOT_BYTES

/**
 * The durable watermark: two checksummed slots, written in turn after each sync and never synced
 * themselves. After a crash it may be stale, but never ahead of the data. Its first write takes all the
 * room that it will ever need.
 */
export class WatermarkFile {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #path: string
  #file: File | undefined
  readonly #slot: Buffer = Buffer.alloc(SLOT_BYTES)
  #sequence: number
  #isWhole: boolean
  #waiting: Watermark | undefined
  /** Why the newest one could not be written. */
  #shortage: UnavailableError | undefined
  #running: Promise<void> | undefined
  #timer: Timer | undefined
  /** Monotonic. */
  #writtenMs = Number.NEGATIVE_INFINITY

  private constructor(
    disk: Disk,
    clock: Clock,
    path: string,
    found: { readonly sequence: number; readonly isWhole: boolean },
  ) {
    this.#disk = disk
    this.#clock = clock
    this.#path = path
    this.#sequence = found.sequence
    this.#isWhole = found.isWhole
  }

  /** Reads the last watermark in a file, which is made with the first that follows. */
  static async open(
    disk: Disk,
    clock: Clock,
    path: string,
  ): Promise<{ file: WatermarkFile; last: Watermark | undefined }> {
    const bytes = await readSmallFile(disk.fileSystem, path)
    const last = bytes === undefined ? undefined : newestSlot(bytes)
    const isWhole = (bytes?.length ?? 0) >= FILE_BYTES
    const found = { sequence: last?.sequence ?? 0, isWhole }
    return { file: new WatermarkFile(disk, clock, path, found), last: last?.watermark }
  }

  /** Puts a watermark on its way; of several waiting ones only the newest is written. */
  advance(watermark: Watermark): void {
    this.#waiting = watermark
    if (this.#running !== undefined || this.#timer !== undefined) return
    const pauseMs = this.#writtenMs + PAUSE_MS - this.#clock.monotonicMs()
    if (pauseMs > 0) this.#timer = this.#schedule(pauseMs)
    else this.#start()
  }

  /**
   * Resolves when the newest watermark has been handed to the operating system.
   *
   * @throws UnavailableError when there is no room for it: it is tried again.
   */
  async settled(): Promise<void> {
    do {
      this.#start()
      await this.#running
      if (this.#shortage !== undefined) throw this.#shortage
    } while (this.#waiting !== undefined && this.#disk.failure === undefined)
  }

  async close(): Promise<void> {
    await this.settled().catch(() => {
      // Without room for it the next opening renews it.
    })
    this.#timer?.cancel()
    await this.#file?.close()
  }

  #start(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#waiting === undefined || this.#disk.failure !== undefined) return
    this.#running ??= this.#write().finally(() => {
      this.#running = undefined
      if (this.#shortage !== undefined) this.#timer = this.#schedule(RETRY_MS)
      else if (this.#waiting !== undefined) this.advance(this.#waiting)
    })
  }

  #schedule(delayMs: number): Timer {
    return this.#clock.schedule(delayMs, () => this.#start(), 'background')
  }

  async #write(): Promise<void> {
    const watermark = this.#waiting
    if (watermark === undefined) return
    this.#waiting = undefined
    this.#writtenMs = this.#clock.monotonicMs()
    this.#encode(watermark)
    try {
      this.#file ??= await this.#disk.fileSystem.open(this.#path, 'create')
      const position = (this.#sequence % 2) * SLOT_STRIDE
      if (!this.#isWhole) await this.#takeRoom(this.#file)
      await writeFully(this.#file, this.#slot, position, 'neverSynced')
      this.#shortage = undefined
    } catch (error) {
      // Without room it stays stale, which is allowed; any other error says the disk is ill.
      this.#shortage = this.#disk.shortage(error)
      if (this.#shortage === undefined) this.#disk.fail('write', error)
      this.#waiting ??= watermark
    }
  }

  async #takeRoom(file: File): Promise<void> {
    await writeFully(file, Buffer.alloc(1), FILE_BYTES - 1, 'neverSynced')
    this.#isWhole = true
  }

  #encode(watermark: Watermark): void {
    this.#sequence++
    writeInt64(this.#slot, 0, this.#sequence)
    writeInt64(this.#slot, 8, watermark.segment)
    writeInt64(this.#slot, 16, watermark.position)
    writeInt64(this.#slot, 24, watermark.visibleOffset)
    writeInt32(this.#slot, CRC_AT, crc32c(this.#slot.subarray(0, CRC_AT)))
  }
}

/** The newest watermark in an open file; `undefined` when no slot is whole. */
export async function readWatermark(file: File): Promise<Watermark | undefined> {
  const bytes = Buffer.alloc(FILE_BYTES)
  const count = await readFully(file, bytes, 0)
  return newestSlot(bytes.subarray(0, count))?.watermark
}

function newestSlot(bytes: Buffer): { sequence: number; watermark: Watermark } | undefined {
  let newest: { sequence: number; watermark: Watermark } | undefined
  for (const at of [0, SLOT_STRIDE]) {
    const slot = bytes.subarray(at, at + SLOT_BYTES)
    if (slot.length < SLOT_BYTES) continue
    if (readInt32(slot, CRC_AT) >>> 0 !== crc32c(slot.subarray(0, CRC_AT))) continue
    const sequence = readInt64(slot, 0)
    if (sequence === 0 || sequence <= (newest?.sequence ?? 0)) continue
    const watermark = {
      segment: readInt64(slot, 8),
      position: readInt64(slot, 16),
      visibleOffset: readInt64(slot, 24),
    }
    newest = { sequence, watermark }
  }
  return newest
}
