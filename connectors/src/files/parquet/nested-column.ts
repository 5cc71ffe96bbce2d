import type { FileMetaData } from 'hyparquet'
import { parquetScan } from 'hyparquet'
import type { FileHandle } from 'node:fs/promises'
import { readExactly } from '../file-identity.ts'
import type { Compressors } from './compressors.ts'

interface NestedColumnRequest {
  readonly file: FileHandle
  readonly metadata: FileMetaData
  readonly compressors: Compressors
  readonly column: string
  /** Rows counted from the start of the file. */
  readonly rowStart: number
  readonly rowEnd: number
}

/** Reads lists, maps and structs of a whole row group; memory is bound by the row group here. */
export async function readNestedColumn(request: NestedColumnRequest): Promise<unknown[]> {
  const { file, metadata, compressors, column, rowStart, rowEnd } = request
  const { size } = await file.stat()
  const scan = await parquetScan({
    file: {
      byteLength: size,
      slice: async (start, end = size) => (await readExactly(file, start, end - start)).buffer,
    },
    metadata,
    compressors: { ...compressors },
    columns: [column],
    rowStart,
    rowEnd,
    parsers,
  })
  const values = await scan.readColumn({ column, rowStart, rowEnd })
  return Array.from(values as ArrayLike<unknown>, plain)
}

const parsers = {
  timestampFromMilliseconds: (millis: bigint) => Number(millis),
  timestampFromMicroseconds: (micros: bigint) => Number(micros) / 1000,
  timestampFromNanoseconds: (nanos: bigint) => Number(nanos / 1000n) / 1000,
  dateFromDays: (days: number) => days * 86_400_000,
}

/** Integers inside nested values become numbers where that is exact; absent ones null. */
function plain(value: unknown): unknown {
  if (value === undefined || value === null) return null
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || ArrayBuffer.isView(value) || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}
