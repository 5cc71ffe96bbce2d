import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { FileMetaData } from 'hyparquet'

type Decompress = (input: Uint8Array, outputLength: number) => Uint8Array
/** Decompressors by codec name, as hyparquet takes them. */
export type Compressors = Readonly<Record<string, Decompress>>

// Node's own are several times faster than those in JavaScript, and bounded.
const native: Compressors = {
  ZSTD: (input, maxOutputLength) => zstdDecompressSync(input, { maxOutputLength }),
  GZIP: (input, maxOutputLength) => gunzipSync(input, { maxOutputLength }),
  BROTLI: (input, maxOutputLength) => brotliDecompressSync(input, { maxOutputLength }),
}

/** The decompressors that a file's columns need; others are not loaded. */
export async function compressorsFor(metadata: FileMetaData): Promise<Compressors> {
  const codecs = new Set(
    metadata.row_groups.flatMap((group) => group.columns.map((chunk) => chunk.meta_data?.codec)),
  )
  codecs.delete('UNCOMPRESSED')
  if ([...codecs].every((codec) => codec === undefined || codec in native)) return native
  const { compressors } = await import('hyparquet-compressors')
  return { ...compressors, ...native }
}
