import { createRequire } from 'node:module'
import {
  constants,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
  type ZstdOptions,
} from 'node:zlib'
import { CorruptDataError, invariant } from '../errors.ts'
import type { Compression } from '../log.ts'
import { lz4Size } from './lz4-frame.ts'
import { isXerial, readXerial, snappySize, writeXerial } from './xerial.ts'

type WasmCodecs = typeof import('@platformatic/wasm-utils')

const requireHere = createRequire(import.meta.url)
let wasmCodecs: WasmCodecs | undefined

/** Compiled when first needed: it takes some 10 ms, and most topics never do. */
function wasm(): WasmCodecs {
  wasmCodecs ??= requireHere('@platformatic/wasm-utils') as WasmCodecs
  return wasmCodecs
}

const ZSTD_FAST: ZstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/** Compresses the records of a batch; there is at least one, so the bytes are never empty. */
export function compress(compression: Compression, bytes: Buffer): Uint8Array {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes)
    case 'snappy':
      return writeXerial(bytes, wasm().snappyCompress)
    case 'lz4':
      return wasm().lz4Compress(bytes)
    case 'zstd':
      return zstdCompressSync(bytes, ZSTD_FAST)
  }
}

/**
 * Undoes {@link compress}, or what another Kafka client did.
 *
 * @param bytesMax The result is never larger; checked before anything of that size is allocated.
 * @throws CorruptDataError when the bytes are not of this compression or would become larger.
 */
export function decompress(compression: Compression, bytes: Buffer, bytesMax: number): Buffer {
  try {
    return decompressUnchecked(compression, bytes, bytesMax)
  } catch (error) {
    if (error instanceof CorruptDataError) throw error
    // The libraries say no more than "unreachable" or a code of their own.
    throw new CorruptDataError(
      'CORRUPT_DATA',
      `A batch's ${compression} data cannot be decompressed (at most ${bytesMax} bytes allowed).`,
      { cause: error, facts: { compression, bytesMax } },
    )
  }
}

function decompressUnchecked(compression: Compression, bytes: Buffer, bytesMax: number): Buffer {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gunzipSync(bytes, { maxOutputLength: bytesMax })
    case 'zstd':
      return zstdDecompressSync(bytes, { maxOutputLength: bytesMax })
    case 'lz4':
      return expectSize(lz4Size(bytes, bytesMax), wasm().lz4Decompress(bytes))
    case 'snappy':
      return isXerial(bytes)
        ? readXerial(bytes, bytesMax, wasm().snappyDecompress)
        : expectSize(snappySize(bytes, bytesMax), wasm().snappyDecompress(bytes))
  }
}

function expectSize(sizeBytes: number, decompressed: Buffer): Buffer {
  invariant(decompressed.length === sizeBytes, 'a size was measured wrong before decompression')
  return decompressed
}
