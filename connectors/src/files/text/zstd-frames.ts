import { Readable } from 'node:stream'
import { createZstdDecompress } from 'node:zlib'

/** Of each piece: with Node's own 16 KiB, handing pieces from thread to thread costs more than decompressing. */
export const decompressedBytes = 256 * 1024

/**
 * Decompresses zstd, all frames of it. Node's own stream ends with the first frame that ends inside a
 * chunk and drops, without a word, what comes after it; so what it has not consumed goes to a new one.
 */
export async function* zstdFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const input = new Unconsumed(chunks)
  while (await input.hasMore()) {
    const decompress = createZstdDecompress({ chunkSize: decompressedBytes })
    const stored = Readable.from(input.feed(() => decompress.bytesWritten))
    stored.on('error', (error) => decompress.destroy(error))
    stored.pipe(decompress)
    try {
      yield* decompress as AsyncIterable<Buffer>
      if (decompress.bytesWritten === 0) throw new Error('what follows a frame is none')
      stored.destroy()
      await input.takeBack(decompress.bytesWritten)
    } finally {
      stored.destroy()
      decompress.destroy()
    }
  }
}

/** Chunks of which some may have to be given again. */
class Unconsumed {
  readonly #chunks: AsyncIterator<Buffer>
  /** What was given last, and where it began, counted from the first chunk since the last taking back. */
  #given: { readonly start: number; readonly bytes: Buffer }[] = []
  #givenBytes = 0
  #rest: Buffer[] = []
  /** A chunk asked for, and not given yet. */
  #asked: Promise<IteratorResult<Buffer>> | undefined

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  async hasMore(): Promise<boolean> {
    if (this.#rest.length > 0) return true
    this.#asked ??= this.#chunks.next()
    return (await this.#asked).done !== true
  }

  async *feed(consumedBytes: () => number): AsyncGenerator<Buffer> {
    this.#given = []
    this.#givenBytes = 0
    for (let bytes = this.#rest.shift(); bytes; bytes = this.#rest.shift()) yield this.#give(bytes)
    for (;;) {
      this.#asked ??= this.#chunks.next()
      const { done, value } = await this.#asked
      if (done === true) return
      this.#asked = undefined
      const consumed = consumedBytes()
      this.#given = this.#given.filter(({ start, bytes }) => start + bytes.length > consumed)
      yield this.#give(value)
    }
  }

  #give(bytes: Buffer): Buffer {
    this.#given.push({ start: this.#givenBytes, bytes })
    this.#givenBytes += bytes.length
    return bytes
  }

  /** Only so many bytes were used of what was given. */
  async takeBack(consumedBytes: number): Promise<void> {
    // One that is being asked for would be given to a reader that is gone.
    await this.#asked
    const unused = this.#given.flatMap(({ start, bytes }) => {
      const from = Math.max(0, consumedBytes - start)
      return from < bytes.length ? [bytes.subarray(from)] : []
    })
    this.#rest = [...unused, ...this.#rest]
    this.#given = []
  }
}
