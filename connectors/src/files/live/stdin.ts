import { isMainThread } from 'node:worker_threads'
import type { Json, SourceBatch, SourceContext, SourceReader } from '@millrace/processors'
import { unreadable } from '../input-error.ts'
import { type Block, RecordTooLong } from '../text/block-cutter.ts'
import type { FileRecord } from '../text/lenient-decoder.ts'
import { formatOf, type LiveKind, withoutEnd } from './follow.ts'
import type { LiveFormat } from './live-format.ts'
import { RecordCutter } from './record-cutter.ts'

const NAME = 'standard input'

/**
 * Reads standard input. It can't be read again, so a position says only how many rows came in all: each
 * run reads what it is given, and what a crash had not committed must be given again.
 */
export async function openStdin(
  kind: LiveKind,
  { position, signal }: SourceContext,
  input: AsyncIterable<Uint8Array> = process.stdin,
): Promise<SourceReader<FileRecord>> {
  if (input === process.stdin && !isMainThread) {
    // Node gives a thread an input of its own, which has ended before it began.
    const next = 'Leave --threads out, or put the input into a file.'
    throw unreadable(NAME, 'not to be had in a thread', next)
  }
  return {
    isSample: true,
    total: {},
    batches: () => readAll(kind, rowsOf(position), input, signal),
    close: async () => {},
  }
}

async function* readAll(
  kind: LiveKind,
  rowsBefore: number,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<SourceBatch<FileRecord>> {
  const format = formatOf(NAME, kind)
  const cutter = new RecordCutter({ byte: 0, line: 1 }, format.findEnd, kind.maxRecordBytes)
  const progress = { rows: rowsBefore, bytes: 0 }
  try {
    for await (const chunk of untilAborted(input, signal)) {
      if (progress.bytes === 0) refuseCompressed(chunk)
      progress.bytes += chunk.length
      yield* batchesOf(format, cutter.take(Buffer.from(chunk)), progress)
    }
    if (signal.aborted) return
    yield* batchesOf(format, cutter.end(), progress)
  } catch (error) {
    throw error instanceof RecordTooLong
      ? withoutEnd(NAME, cutter, error, kind.maxRecordBytes)
      : error
  }
}

async function* batchesOf(
  format: LiveFormat,
  blocks: Iterable<Block>,
  progress: { rows: number; readonly bytes: number },
): AsyncGenerator<SourceBatch<FileRecord>> {
  for (const block of blocks) {
    const rows = await format.rows(block)
    if (rows.length === 0) continue
    progress.rows += rows.length
    const position = { rows: progress.rows }
    yield { rows, position, bytesRead: progress.bytes, rowsRead: progress.rows }
  }
}

/** Chunks until the input ends or the signal fires; a chunk that comes later stays unread. */
export async function* untilAborted(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const chunks = input[Symbol.asyncIterator]()
  const aborted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  for (;;) {
    const next = await Promise.race([chunks.next(), aborted])
    if (next === undefined) {
      // A pipe that stays open would keep the process.
      if (input === process.stdin) process.stdin.destroy()
      return
    }
    if (next.done === true) return
    yield next.value
  }
}

function refuseCompressed(head: Uint8Array): void {
  const isGzip = head[0] === 0x1f && head[1] === 0x8b
  const isZstd = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd
  if (!isGzip && !isZstd) return
  const next = `Decompress it on the way: ${isGzip ? 'zcat' : 'zstdcat'} FILE | …`
  throw unreadable(NAME, 'compressed', next)
}

function rowsOf(position: Json | undefined): number {
  const isObject = typeof position === 'object' && position !== null && 'rows' in position
  return isObject && typeof position.rows === 'number' ? position.rows : 0
}
