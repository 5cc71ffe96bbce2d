import type { FileHandle } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { Column, Sink, SourceBatch, SourceReader } from '@millrace/processors'
import type { FileIdentity } from '../file-identity.ts'
import { identifyFile, openFile, readFilePosition, refuseChangedFile } from '../file-identity.ts'
import { malformed } from '../input-error.ts'
import type { FileSource } from '../file-source.ts'
import { type FilesOptions, filesSink } from '../out/files-sink.ts'
import type { FileRow } from '../row-maker.ts'
import type { BlockLimits } from '../text/block-cutter.ts'
import { BlockCutter, RecordTooLong, findLastLine } from '../text/block-cutter.ts'
import type { ByteReader } from '../text/byte-reader.ts'
import { openBytes } from '../text/byte-reader.ts'
import { placeAt } from '../text/line-number.ts'
import { decodeLines, inferColumns } from './ndjson-decoder.ts'
import type { NdjsonFormatOptions } from './ndjson-format.ts'

/** Options of {@link ndjson}. */
export interface NdjsonOptions {
  /** A longer line is an error. Default 16 MiB. */
  readonly maxRecordBytes?: number
}

/**
 * Reads a file of JSON objects, one a line (NDJSON, JSON Lines), plain or compressed with gzip or
 * zstd (known by content, not by name). A line that is no object is an error that names line and byte.
 *
 * The position is the byte after the last line (before compression) plus the file's identity, so
 * reading goes on exactly where it stopped; a file changed in between is refused (INPUT_CHANGED).
 */
export function ndjson<Row = FileRow>(path: string, options: NdjsonOptions = {}): FileSource<Row> {
  return {
    kind: 'source',
    name: `ndjson ${basename(path)}`,
    bounded: true,
    path: resolve(path),
    async open(context) {
      const file = await openFile(path)
      try {
        const identity = await identifyFile(file)
        const maxRecordBytes = Math.max(options.maxRecordBytes ?? 16 * 1024 * 1024, BLOCK_BYTES)
        const limits = { blockBytes: BLOCK_BYTES, maxRecordBytes }
        let start = { byte: 0, rows: 0 }
        if (context.position !== undefined) {
          const stored = readFilePosition(path, context.position, COUNTERS)
          refuseChangedFile(path, stored, identity)
          start = { byte: stored.byte, rows: stored.rows }
        }
        const { columns, isCompressed } = await probeNdjson(path, file, limits)
        const { signal } = context
        const from = { path, file, identity, columns, isCompressed, limits, start, signal }
        return new NdjsonReader(from) as unknown as SourceReader<Row>
      } catch (error) {
        await file.close()
        throw error
      }
    },
  }
}

/** Options of {@link ndjson.files}. */
export interface NdjsonFilesOptions<Name extends string = string>
  extends FilesOptions<Name>, NdjsonFormatOptions {}

/**
 * NDJSON files as a sink, exactly once: `<directory>/<task>-<offset of the first record>.ndjson`, as
 * {@link csv.files} writes them. Each line has the key's properties, then the value's.
 *
 * @throws UsageError for options that make no sense.
 */
ndjson.files = files

function files<const Name extends string = never>(
  directory: string,
  options: NdjsonFilesOptions<Name> = {},
): Sink<Readonly<Record<Name, unknown>>> {
  return filesSink(directory, options, 'ndjson', async () => {
    const { ndjsonFormat } = await import('./ndjson-format.ts')
    return ndjsonFormat(options)
  })
}

const BLOCK_BYTES = 256 * 1024
const COUNTERS = ['byte', 'rows'] as const
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

interface NdjsonStart {
  readonly path: string
  readonly file: FileHandle
  readonly identity: FileIdentity
  readonly columns: readonly Column[]
  readonly isCompressed: boolean
  readonly limits: BlockLimits
  readonly start: { readonly byte: number; readonly rows: number }
  readonly signal: AbortSignal
}

async function probeNdjson(
  path: string,
  file: FileHandle,
  limits: BlockLimits,
): Promise<Pick<NdjsonStart, 'columns' | 'isCompressed'>> {
  const reader = await openBytes(path, file, 0)
  reader.close()
  const { isCompressed } = reader
  for await (const { rows } of readBlocks(path, file, 0, limits)) {
    return { columns: inferColumns(rows), isCompressed }
  }
  return { columns: [], isCompressed }
}

interface DecodedBlock {
  readonly rows: FileRow[]
  readonly endByte: number
  readonly storedBytes: number
}

async function* readBlocks(
  path: string,
  file: FileHandle,
  startByte: number,
  limits: BlockLimits,
): AsyncGenerator<DecodedBlock> {
  const reader = await openBytes(path, file, startByte)
  try {
    const cutter = new BlockCutter(reader, startByte, findLastLine, limits)
    for (let block = await cutter.next(); block; block = await cutter.next()) {
      const endByte = block.byte + block.bytes.length
      const hasMark = block.byte === 0 && block.bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)
      const body = hasMark ? { ...block, byte: 3, bytes: block.bytes.subarray(3) } : block
      const rows = await decodeLines(path, body)
      yield { rows, endByte, storedBytes: reader.storedBytes }
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
export class NdjsonReader implements SourceReader<FileRow> {
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

  async *batches(): AsyncGenerator<SourceBatch<FileRow>> {
    const { path, file, identity, limits, start, signal } = this.#from
    let rowsRead = start.rows
    for await (const block of readBlocks(path, file, start.byte, limits)) {
      if (signal.aborted) return
      const { rows } = block
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
