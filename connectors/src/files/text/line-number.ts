import { openFile } from '../file-identity.ts'
import type { InputPlace } from '../input-error.ts'
import type { Block } from './block-cutter.ts'
import { openBytes } from './byte-reader.ts'

/**
 * The line (from 1) that byte `byte` of a text file lies on. Reads the file again up to there: lines
 * are only counted once an error needs them.
 */
async function lineAt(path: string, byte: number): Promise<number> {
  const file = await openFile(path)
  try {
    const reader = await openBytes(path, file, 0)
    const chunk = Buffer.allocUnsafe(256 * 1024)
    let line = 1
    for (let left = byte; left > 0;) {
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
  return { path, byte, line: await lineAt(path, byte) }
}

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
