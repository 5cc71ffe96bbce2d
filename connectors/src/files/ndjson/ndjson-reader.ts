import type { FileHandle } from 'node:fs/promises'
import type { Column, SourceBatch, SourceContext, SourceReader } from '@millrace/processors'
import type { FileIdentity } from '../file-identity.ts'
import { identifyFile, openFile, readFilePosition, refuseChangedFile } from '../file-identity.ts'
import { malformed } from '../input-error.ts'
import type { Block, BlockLimits } from '../text/block-cutter.ts'
import { BlockCutter, RecordTooLong, findLastLine } from '../text/block-cutter.ts'
import type { ByteReader } from '../text/byte-reader.ts'
import { openBytes } from '../text/byte-reader.ts'
import type { FileRecord } from '../text/lenient-decoder.ts'
import { placeAt } from '../text/line-number.ts'
import { decodeGoodLines, decodeLines, inferColumns, lenientLines } from './ndjson-decoder.ts'

const BLOCK_BYTES = 256 * 1024
const COUNTERS = ['byte', 'rows'] as const
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** Opens a file at a stored position or at its first line. */
export async function openNdjson(
  path: string,
  maxRecordBytes: number,
  { position, signal }: SourceContext,
  isLenient = false,
): Promise<NdjsonReader> {
  const file = await openFile(path)
  try {
    const identity = await identifyFile(file)
    const stored = position === undefined ? undefined : readFilePosition(path, position, COUNTERS)
    if (stored) refuseChangedFile(path, stored, identity)
    const start = { byte: stored?.byte ?? 0, rows: stored?.rows ?? 0 }
    const limits = {
      blockBytes: BLOCK_BYTES,
      maxRecordBytes: Math.max(maxRecordBytes, BLOCK_BYTES),
    }
    const { columns, isCompressed } = await probeNdjson(path, file, limits)
    const found = { path, file, identity, columns, isCompressed }
    return new NdjsonReader({ ...found, limits, start, signal, isLenient })
  } catch (error) {
    await file.close()
    throw error
  }
}

interface NdjsonStart {
  readonly path: string
  readonly file: FileHandle
  readonly identity: FileIdentity
  readonly columns: readonly Column[]
  readonly isCompressed: boolean
  readonly limits: BlockLimits
  readonly start: { readonly byte: number; readonly rows: number }
  readonly signal: AbortSignal
  readonly isLenient: boolean
}

async function probeNdjson(
  path: string,
  file: FileHandle,
  limits: BlockLimits,
): Promise<Pick<NdjsonStart, 'columns' | 'isCompressed'>> {
  const reader = await openBytes(path, file, 0)
  reader.close()
  const { isCompressed } = reader
  for await (const { body } of readBodies(path, file, 0, limits)) {
    // A bad line is named when it is read.
    return { columns: inferColumns(decodeGoodLines(body)), isCompressed }
  }
  return { columns: [], isCompressed }
}

interface Body {
  /** Without a byte order mark. */
  readonly body: Block
  readonly endByte: number
  readonly storedBytes: number
}

async function* readBodies(
  path: string,
  file: FileHandle,
  startByte: number,
  limits: BlockLimits,
): AsyncGenerator<Body> {
  const reader = await openBytes(path, file, startByte)
  try {
    const cutter = new BlockCutter(reader, startByte, findLastLine, limits)
    for (let block = await cutter.next(); block; block = await cutter.next()) {
      const endByte = block.byte + block.bytes.length
      const hasMark = block.byte === 0 && block.bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)
      const body = hasMark ? { ...block, byte: 3, bytes: block.bytes.subarray(3) } : block
      yield { body, endByte, storedBytes: reader.storedBytes }
    }
  } catch (error) {
    if (!(error instanceof RecordTooLong)) throw error
    const place = await placeAt(path, error.byte)
    const reason = `a line longer than ${limits.maxRecordBytes} bytes begins here`
    throw malformed(place, reason, 'Raise maxRecordBytes if that is meant.')
  } finally {
    reader.close()
  }
}

/** An open NDJSON file: rows in batches, or blocks of whole lines as they stand in the file. */
export class NdjsonReader implements SourceReader<FileRecord> {
  readonly path: string
  readonly identity: FileIdentity
  readonly columns: readonly Column[]
  readonly isSample = true
  readonly total: { readonly bytes: number }
  readonly isCompressed: boolean
  readonly #from: NdjsonStart

  constructor(from: NdjsonStart) {
    this.isCompressed = from.isCompressed
    this.path = from.path
    this.identity = from.identity
    this.columns = from.columns
    this.total = { bytes: from.identity.sizeBytes }
    this.#from = from
  }

  async *batches(): AsyncGenerator<SourceBatch<FileRecord>> {
    const { path, file, identity, limits, start, signal, isLenient } = this.#from
    const lenient = isLenient ? lenientLines(path) : undefined
    let rowsRead = start.rows
    for await (const block of readBodies(path, file, start.byte, limits)) {
      if (signal.aborted) return
      const rows = await (lenient?.rows(block.body) ?? decodeLines(path, block.body))
      if (rows.length === 0) continue
      rowsRead += rows.length
      const position = { byte: block.endByte, rows: rowsRead, file: identity }
      yield { rows, position, rowsRead, bytesRead: Math.min(block.storedBytes, this.total.bytes) }
    }
  }

  /** Reads bytes from one on, up to another; the caller closes it. */
  openBytes(startByte: number, endByte: number): Promise<ByteReader> {
    const { path, file } = this.#from
    return openBytes(path, file, startByte, endByte)
  }

  get maxRecordBytes(): number {
    return this.#from.limits.maxRecordBytes
  }

  close(): Promise<void> {
    return this.#from.file.close()
  }
}
