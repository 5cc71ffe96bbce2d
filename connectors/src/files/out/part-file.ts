import type { OutputDisk, PartHandle } from './disk.ts'
import type { Part, RowEncoder } from './row-encoder.ts'

/** Does it until there is room on the disk. */
export type WithRoom = (work: () => Promise<void>) => Promise<void>

/** A file that is being written under another name than it will have. */
export class PartFile {
  /** Its name in the task's directory. */
  readonly name: string
  /** What it will be called, relative to the sink's directory. */
  readonly path: string
  rows = 0
  readonly #disk: OutputDisk
  readonly #where: string
  readonly #encoder: RowEncoder
  readonly #withRoom: WithRoom
  #handle: PartHandle | undefined
  #isMade = false
  #writtenBytes = 0
  #markedRows = 0

  constructor(
    disk: OutputDisk,
    names: { readonly where: string; readonly name: string; readonly path: string },
    encoder: RowEncoder,
    withRoom: WithRoom,
  ) {
    this.#disk = disk
    this.#where = names.where
    this.name = names.name
    this.path = names.path
    this.#encoder = encoder
    this.#withRoom = withRoom
  }

  /** Bytes of the file, about: what waits is not compressed yet. */
  get bytes(): number {
    return this.#writtenBytes + this.waitingBytes
  }

  get waitingBytes(): number {
    return this.#encoder.waitingBytes
  }

  get isFull(): boolean {
    return this.#encoder.isFull
  }

  get isOpen(): boolean {
    return this.#handle !== undefined
  }

  /** @throws RowMisfit */
  add(key: Part, value: Part): void {
    this.#encoder.add(key, value)
    this.rows++
  }

  mark(): void {
    this.#encoder.mark()
    this.#markedRows = this.rows
  }

  undo(): void {
    this.#encoder.undo()
    this.rows = this.#markedRows
  }

  /** Writes what waits. */
  async drain(): Promise<void> {
    await this.#append(await this.#encoder.take(false))
  }

  /** Gives the descriptor back until there is more; what was written is durable then. */
  async park(): Promise<void> {
    const handle = this.#handle
    if (handle === undefined) return
    this.#handle = undefined
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  /** Writes the rest; all of it is durable then. */
  async finish(): Promise<void> {
    await this.#append(await this.#encoder.take(true))
    await this.park()
  }

  /** It will never be published. */
  async discard(): Promise<void> {
    await this.#handle?.close()
    this.#handle = undefined
    await this.#disk.remove(this.#where)
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return
    await this.#withRoom(async () => {
      this.#handle ??= await this.#disk.open(this.#where, this.#isMade ? 'reopen' : 'new')
      this.#isMade = true
      await this.#handle.write(bytes, this.#writtenBytes)
    })
    this.#writtenBytes += bytes.length
  }
}
