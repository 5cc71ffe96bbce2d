import { UsageError } from '@millrace/core'
import type { Json, SourceBatch, SourceContext, SourceReader } from '@millrace/processors'
import type { CsvOptions } from '../csv/csv.ts'
import { malformed } from '../input-error.ts'
import { type Block, RecordTooLong } from '../text/block-cutter.ts'
import type { FileRecord } from '../text/lenient-decoder.ts'
import { FollowedFile, type GrowingIdentity } from './followed-file.ts'
import { LiveCsv, type LiveFormat, type LiveHeader, liveNdjson } from './live-format.ts'
import { RecordCutter } from './record-cutter.ts'

/** What a followed file is. */
export type LiveKind = { readonly maxRecordBytes: number; readonly isLenient?: boolean } & (
  | { readonly format: 'ndjson' }
  | { readonly format: 'csv'; readonly options: CsvOptions }
)

type FollowPosition = {
  readonly byte: number
  readonly line: number
  readonly rows: number
  readonly follows: GrowingIdentity
  readonly header?: LiveHeader
}

/** Opens a file that is followed as it grows, at a stored position or at its beginning. */
export async function openFollowed(
  path: string,
  kind: LiveKind,
  { position, signal }: SourceContext,
): Promise<SourceReader<FileRecord>> {
  const stored = position === undefined ? undefined : readPosition(path, position)
  const file =
    stored === undefined
      ? await FollowedFile.open(path)
      : await FollowedFile.reopen(path, stored.follows, stored.byte)
  return new FollowReader(path, kind, file, stored, signal)
}

class FollowReader implements SourceReader<FileRecord> {
  readonly isSample = true
  readonly total = {}
  readonly #path: string
  readonly #kind: LiveKind
  readonly #signal: AbortSignal
  readonly #stored: FollowPosition | undefined
  #file: FollowedFile
  #rows: number
  #bytesRead = 0

  constructor(
    path: string,
    kind: LiveKind,
    file: FollowedFile,
    stored: FollowPosition | undefined,
    signal: AbortSignal,
  ) {
    this.#path = path
    this.#kind = kind
    this.#file = file
    // From the beginning: it was cut since.
    this.#stored = file.startByte === 0 ? undefined : stored
    this.#rows = stored?.rows ?? 0
    this.#signal = signal
  }

  async *batches(): AsyncGenerator<SourceBatch<FileRecord>> {
    let place = { byte: this.#stored?.byte ?? 0, line: this.#stored?.line ?? 1 }
    let header = this.#stored?.header
    for (;;) {
      yield* this.#fileBatches(place, header)
      if (this.#signal.aborted) return
      const ended = this.#file
      this.#file = await ended.successor()
      await ended.close()
      place = { byte: 0, line: 1 }
      header = undefined
    }
  }

  async *#fileBatches(
    start: { byte: number; line: number },
    header: LiveHeader | undefined,
  ): AsyncGenerator<SourceBatch<FileRecord>> {
    const { maxRecordBytes } = this.#kind
    const format = formatOf(this.#path, this.#kind, header)
    const cutter = new RecordCutter(start, format.findEnd, maxRecordBytes)
    try {
      for (let bytes = await this.#next(); bytes; bytes = await this.#next()) {
        yield* this.#blockBatches(format, cutter, cutter.take(bytes))
      }
      // A record that was never finished in a file that was cut is nobody's.
      if (this.#signal.aborted || this.#file.isTruncated) return
      yield* this.#blockBatches(format, cutter, cutter.end())
    } catch (error) {
      throw error instanceof RecordTooLong
        ? withoutEnd(this.#path, cutter, error, maxRecordBytes)
        : error
    }
  }

  async #next(): Promise<Buffer | undefined> {
    const bytes = await this.#file.next(this.#signal)
    this.#bytesRead += bytes?.length ?? 0
    return bytes
  }

  async *#blockBatches(
    format: LiveFormat & { readonly header?: LiveHeader | undefined },
    cutter: RecordCutter,
    blocks: Iterable<Block>,
  ): AsyncGenerator<SourceBatch<FileRecord>> {
    for (const block of blocks) {
      const rows = await format.rows(block)
      if (rows.length === 0) continue
      this.#rows += rows.length
      const { header } = format
      const position = {
        ...cutter.place,
        rows: this.#rows,
        follows: await this.#file.identity(),
        ...(header !== undefined && { header }),
      }
      yield { rows, position, bytesRead: this.#bytesRead, rowsRead: this.#rows }
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** A fresh one for each file. */
export function formatOf(path: string, kind: LiveKind, header?: LiveHeader): LiveFormat {
  const { isLenient = false } = kind
  if (kind.format === 'ndjson') return liveNdjson(path, isLenient)
  return new LiveCsv(path, kind.options, isLenient, header)
}

/** The error for a record without an end. */
export function withoutEnd(
  path: string,
  { place }: RecordCutter,
  { atEnd }: RecordTooLong,
  maxRecordBytes: number,
): Error {
  const [reason, next] = atEnd
    ? [
        'the record that begins here has a quote that is not closed before the input ends',
        'Close it.',
      ]
    : [
        `a record begins here that has no end within ${maxRecordBytes} bytes`,
        'Close its quote, or raise maxRecordBytes if that is meant.',
      ]
  return malformed({ path, ...place }, reason, next)
}

function readPosition(path: string, position: Json): FollowPosition {
  if (typeof position === 'object' && position !== null && 'follows' in position) {
    return position as unknown as FollowPosition
  }
  throw new UsageError(
    'INPUT_CHANGED',
    `The position stored for ${path} was made without follow, or by another kind of source. Name the ` +
      'pipeline anew to start from the beginning.',
    { facts: { file: path } },
  )
}
