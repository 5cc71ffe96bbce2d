const initialBytes = 160 * 1024

/**
 * Bytes of COPY on their way to the server, in two buffers that take turns: one fills while the
 * socket drains the other. Value encoders write at `position` after reserving room; nothing is
 * allocated per row.
 */
export class CopyBuffer {
  bytes: Buffer
  view: DataView
  position = 0
  #other: Buffer | undefined

  constructor(sizeBytes = initialBytes) {
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes)
    this.view = viewOf(this.bytes)
  }

  /** Makes sure that `sizeBytes` fit at `position`; `bytes` and `view` may be others afterwards. */
  reserve(sizeBytes: number): void {
    if (this.position + sizeBytes > this.bytes.length) this.#grow(sizeBytes)
  }

  /** Takes what was written, and goes on in the other buffer; valid until the next `take`. */
  take(): Buffer {
    const full = this.bytes
    const taken = full.subarray(0, this.position)
    this.bytes = this.#other ?? Buffer.allocUnsafeSlow(initialBytes)
    this.view = viewOf(this.bytes)
    this.position = 0
    // A buffer that one huge value made grow is not kept.
    this.#other = full.length > 8 * initialBytes ? undefined : full
    return taken
  }

  #grow(sizeBytes: number): void {
    const grown = Buffer.allocUnsafeSlow(2 * (this.position + sizeBytes))
    this.bytes.copy(grown, 0, 0, this.position)
    this.bytes = grown
    this.view = viewOf(grown)
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
