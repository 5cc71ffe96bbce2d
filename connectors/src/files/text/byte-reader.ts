import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { readExactly } from '../file-identity.ts'
import { damaged } from '../input-error.ts'
import { decompressedBytes, zstdFrames } from './zstd-frames.ts'

/** A file's bytes in order, decompressed. */
export interface ByteReader {
  /** Fills up to `into.length` bytes and resolves with how many; 0 means the end. */
  read(into: Uint8Array): Promise<number>
  /** Bytes of the file as stored (compressed) that were read so far, from its beginning. */
  readonly storedBytes: number
  readonly isCompressed: boolean
  close(): void
}

const CHUNK_BYTES = 256 * 1024

/**
 * Reads a file from byte `start` (counted after decompression) on. gzip and zstd are known by their
 * first bytes, not by the name; in them everything before `start` is decompressed and passed over.
 * Bytes from `end` on are as if they were not there.
 *
 * @throws CorruptDataError INPUT_DAMAGED from `read` when compressed data is cut short or broken.
 */
export async function openBytes(
  path: string,
  file: FileHandle,
  start: number,
  end = Infinity,
): Promise<ByteReader> {
  const reader = await openWhole(path, file, start)
  return end === Infinity ? reader : new EndingReader(reader, end - start)
}

async function openWhole(path: string, file: FileHandle, start: number): Promise<ByteReader> {
  const magic = await readExactly(file, 0, 4)
  const isGzip = magic[0] === 0x1f && magic[1] === 0x8b
  const isZstd = magic.length === 4 && magic.readUInt32LE(0) === 0xfd2fb528
  if (!isGzip && !isZstd) return new PlainReader(file, start)
  const reader = new CompressedReader(path, file, isGzip ? gunzip : zstdFrames)
  await reader.pass(start)
  return reader
}

/** The first bytes of another. */
class EndingReader implements ByteReader {
  readonly #reader: ByteReader
  #left: number

  constructor(reader: ByteReader, bytes: number) {
    this.#reader = reader
    this.#left = bytes
  }

  async read(into: Uint8Array): Promise<number> {
    const count = await this.#reader.read(into.subarray(0, Math.min(into.length, this.#left)))
    this.#left -= count
    return count
  }

  get storedBytes(): number {
    return this.#reader.storedBytes
  }

  get isCompressed(): boolean {
    return this.#reader.isCompressed
  }

  close(): void {
    this.#reader.close()
  }
}

class PlainReader implements ByteReader {
  readonly isCompressed = false
  readonly #file: FileHandle
  #position: number

  constructor(file: FileHandle, position: number) {
    this.#file = file
    this.#position = position
  }

  async read(into: Uint8Array): Promise<number> {
    const { bytesRead } = await this.#file.read(into, 0, into.length, this.#position)
    this.#position += bytesRead
    return bytesRead
  }

  get storedBytes(): number {
    return this.#position
  }

  close(): void {}
}

class CompressedReader implements ByteReader {
  readonly isCompressed = true
  storedBytes = 0
  readonly #path: string
  readonly #chunks: AsyncIterator<Buffer>
  #chunk: Buffer = Buffer.alloc(0)
  #position = 0

  constructor(
    path: string,
    file: FileHandle,
    decompress: (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>,
  ) {
    this.#path = path
    this.#chunks = decompress(this.#storedChunks(file))[Symbol.asyncIterator]()
  }

  async *#storedChunks(file: FileHandle): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = await readExactly(file, this.storedBytes, CHUNK_BYTES)
      if (chunk.length === 0) return
      this.storedBytes += chunk.length
      yield chunk
    }
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#chunk.length === 0) this.#chunk = await this.#nextChunk()
    const length = Math.min(into.length, this.#chunk.length)
    this.#chunk.copy(into, 0, 0, length)
    this.#chunk = this.#chunk.subarray(length)
    this.#position += length
    return length
  }

  async #nextChunk(): Promise<Buffer> {
    try {
      const next = await this.#chunks.next()
      return next.done ? Buffer.alloc(0) : next.value
    } catch (error) {
      const reason = `decompression stopped after ${this.#position} bytes of text (${messageOf(error)})`
      throw damaged(this.#path, this.storedBytes, reason, error)
    }
  }

  async pass(bytes: number): Promise<void> {
    const into = new Uint8Array(Math.min(bytes, CHUNK_BYTES))
    while (this.#position < bytes) {
      const left = bytes - this.#position
      if ((await this.read(into.subarray(0, Math.min(left, into.length)))) === 0) return
    }
  }

  close(): void {
    void this.#chunks.return?.().catch(() => {})
  }
}

function gunzip(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const stored = Readable.from(chunks)
  const decompress = createGunzip({ chunkSize: decompressedBytes })
  stored.on('error', (error) => decompress.destroy(error))
  // Whoever iterates is told by the iterator. After that there is nobody to tell: the file may be
  // closed while a last piece of it is still asked for.
  decompress.on('error', () => {})
  decompress.on('close', () => stored.destroy())
  return stored.pipe(decompress)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
