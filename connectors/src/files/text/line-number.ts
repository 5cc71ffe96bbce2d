import { openFile } from '../file-identity.ts'
import type { InputPlace } from '../input-error.ts'
import type { Block } from './block-cutter.ts'
import { openBytes } from './byte-reader.ts'

const start: Known = { byte: 0, line: 1 }

/** A byte of a text file, and the line (from 1) that it lies on. */
interface Known {
  readonly byte: number
  readonly line: number
}

/**
 * The line that byte `byte` of a text file lies on. Reads the file again up to there: lines are only
 * counted once an error needs them.
 *
 * @param from Where counting begins.
 */
async function lineAt(path: string, byte: number, from: Known): Promise<number> {
  const file = await openFile(path)
  try {
    const reader = await openBytes(path, file, from.byte)
    const chunk = Buffer.allocUnsafe(256 * 1024)
    let { line } = from
    for (let left = byte - from.byte; left > 0;) {
      const count = await reader.read(chunk.subarray(0, Math.min(left, chunk.length)))
      if (count === 0) break
      line += countLineFeeds(chunk.subarray(0, count))
      left -= count
    }
    reader.close()
    return line
  } finally {
    await file.close()
  }
}

/** The place of a byte, with its line. */
export async function placeAt(path: string, byte: number): Promise<InputPlace> {
  return { path, byte, line: await lineAt(path, byte, start) }
}

/** Counts the lines of a file, where many places in it are asked for: each stretch is read about once. */
export class LineCounter {
  readonly #path: string
  /** Of blocks that were asked for. */
  readonly #known: Known[] = [start]

  constructor(path: string) {
    this.#path = path
  }

  /** Counts within a block; its places are asked for in order, or counted from its beginning again. */
  inBlock({ bytes, byte: blockByte }: Pick<Block, 'bytes' | 'byte'>): BlockLines {
    let first: Promise<Known> | undefined
    let last: Known | undefined
    return async (at) => {
      const begin = await (first ??= this.#at(blockByte))
      const from = last !== undefined && last.byte <= blockByte + at ? last : begin
      const lines = countLineFeeds(bytes.subarray(from.byte - blockByte, at))
      last = { byte: blockByte + at, line: from.line + lines }
      return { path: this.#path, ...last }
    }
  }

  async #at(byte: number): Promise<Known> {
    let from = start
    for (const known of this.#known) {
      if (known.byte <= byte && known.byte > from.byte) from = known
    }
    const known = { byte, line: await lineAt(this.#path, byte, from) }
    this.#known.push(known)
    return known
  }
}

/** Says where a byte of a block stands in its file. */
export type BlockLines = (at: number) => Promise<InputPlace>

/** The place of a byte of a block; only where the block doesn't say its line, the file is read again. */
export async function placeIn(
  path: string,
  { bytes, byte: start, line }: Pick<Block, 'bytes' | 'byte' | 'line'>,
  byte: number,
): Promise<InputPlace> {
  if (line === undefined) return placeAt(path, byte)
  return { path, byte, line: line + countLineFeeds(bytes.subarray(0, byte - start)) }
}

/** How many line feeds there are. */
export function countLineFeeds(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count++
  return count
}
