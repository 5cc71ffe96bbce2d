import { invariant } from '../errors.ts'
import type { Compression } from '../log.ts'

export function compress(compression: Compression, bytes: Buffer): Uint8Array {
  invariant(compression === 'none', 'compression is not there yet')
  return bytes
}
export function decompress(compression: Compression, bytes: Uint8Array, bytesMax: number): Buffer {
  invariant(compression === 'none' && bytesMax > 0, 'compression is not there yet')
  return Buffer.from(bytes)
}
