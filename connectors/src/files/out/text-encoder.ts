import { promisify } from 'node:util'
import { gzip, zstdCompress } from 'node:zlib'
import type { Part, RowEncoder } from './row-encoder.ts'

/** Compression of a text file; its pieces are members (frames) of their own, which every reader joins. */
export type TextCompression = 'gzip' | 'zstd'

/** How the name of a text file ends: `.csv.gz`. */
export function textExtension(format: string, compression: TextCompression | undefined): string {
  if (compression === undefined) return `.${format}`
  return `.${format}.${compression === 'gzip' ? 'gz' : 'zst'}`
}

const compressors: Readonly<Record<TextCompression, (bytes: Buffer) => Promise<Uint8Array>>> = {
  gzip: promisify<Buffer, Uint8Array>(gzip),
  zstd: promisify<Buffer, Uint8Array>(zstdCompress),
}

const FULL_CHARACTERS = 1024 * 1024

/** Rows as text, one after the other. */
export class TextEncoder implements RowEncoder {
  readonly #rowText: (key: Part, value: Part) => string
  readonly #compress: ((bytes: Buffer) => Promise<Uint8Array>) | undefined
  #text: string
  #marked = ''

  /** @param head what the file begins with. */
  constructor(
    head: string,
    rowText: (key: Part, value: Part) => string,
    compression: TextCompression | undefined,
  ) {
    this.#text = head
    this.#rowText = rowText
    this.#compress = compression && compressors[compression]
  }

  add(key: Part, value: Part): void {
    this.#text += this.#rowText(key, value)
  }

  mark(): void {
    this.#marked = this.#text
  }

  undo(): void {
    this.#text = this.#marked
  }

  get waitingBytes(): number {
    return this.#text.length
  }

  get isFull(): boolean {
    return this.#text.length >= FULL_CHARACTERS
  }

  async take(): Promise<Uint8Array> {
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    this.#marked = ''
    return this.#compress === undefined || bytes.length === 0 ? bytes : this.#compress(bytes)
  }
}
