import { createHash } from 'node:crypto'
import { UsageError } from '@millrace/core'
import {
  type Column,
  type Json,
  MalformedRecord,
  type SourceBatch,
  type SourceContext,
  type SourceReader,
} from '@millrace/processors'
import type { FileRecord } from '../text/lenient-decoder.ts'
import type { FoundFile } from './find-files.ts'
import { partitionColumns } from './partition-columns.ts'

/** Opens one file; where types are only a guess, they are those of the first. */
export type OpenFile = (
  path: string,
  context: SourceContext,
  like: readonly Column[],
) => Promise<SourceReader<FileRecord>>

/** Where reading stands in several files. */
type DatasetPosition = {
  /** Files that were read to their end. */
  readonly passed: number
  /** Rows of those. */
  readonly passedRows: number
  /** Tells those, and the one that is being read, by their names. */
  readonly names: string
  /** Rows of the one that is being read, and where it stands. */
  readonly rows: number
  readonly at: Json
}

/**
 * Opens the files that a path stands for, to be read one after the other. Those that come behind the last
 * of them are read by the next run.
 *
 * @throws UsageError INPUT_CHANGED files came or went among those that were read.
 */
export async function openDataset(
  path: string,
  files: readonly FoundFile[],
  openFile: OpenFile,
  context: SourceContext,
): Promise<SourceReader<FileRecord>> {
  const { position, signal } = context
  const start = position === undefined ? beginning : startAt(path, files, position)
  const open: OpenAt = (index, at, like) =>
    openFile(files[index]?.path ?? path, { position: at, signal }, like)
  const isFirst = start.passed === 0
  const first = await open(0, isFirst ? start.at : undefined, [])
  const like = first.columns ?? []
  if (isFirst) return new DatasetReader({ files, open, signal, start, like, reader: first })
  await first.close()
  const reader = await open(start.passed, start.at, like)
  return new DatasetReader({ files, open, signal, start, like, reader })
}

type OpenAt = (
  index: number,
  position: Json | undefined,
  like: readonly Column[],
) => Promise<SourceReader<FileRecord>>

type Start = Omit<DatasetPosition, 'names' | 'at'> & { readonly at: Json | undefined }

const beginning: Start = { passed: 0, passedRows: 0, rows: 0, at: undefined }

interface DatasetParts {
  readonly files: readonly FoundFile[]
  readonly open: OpenAt
  readonly signal: AbortSignal
  readonly start: Start
  /** Of the first file. */
  readonly like: readonly Column[]
  /** Of the file at the start. */
  readonly reader: SourceReader<FileRecord>
}

class DatasetReader implements SourceReader<FileRecord> {
  readonly columns: readonly Column[]
  readonly isSample = true
  readonly total: { readonly bytes: number }
  readonly #parts: DatasetParts
  #reader: SourceReader<FileRecord>

  constructor(parts: DatasetParts) {
    this.#parts = parts
    this.#reader = parts.reader
    this.total = { bytes: bytesOf(parts.files) }
    this.columns = withPartitions(parts.like, parts.files[0])
  }

  async *batches(): AsyncGenerator<SourceBatch<FileRecord>> {
    const { files, start, signal } = this.#parts
    let { passed, passedRows, rows } = start
    for (const { path } of files.slice(passed)) {
      if (passed > start.passed) await this.#turnTo(passed)
      const partitions = partitionColumns(path)
      const names = hashOf(files.slice(0, passed + 1))
      const passedBytes = bytesOf(files.slice(0, passed))
      for await (const batch of this.#reader.batches()) {
        rows = batch.rowsRead
        yield {
          rows: withValues(batch.rows, partitions),
          position: { passed, passedRows, names, rows, at: batch.position },
          bytesRead: passedBytes + batch.bytesRead,
          rowsRead: passedRows + rows,
        }
      }
      if (signal.aborted) return
      passed += 1
      passedRows += rows
      rows = 0
    }
  }

  async #turnTo(index: number): Promise<void> {
    const { open, like } = this.#parts
    await this.#reader.close()
    this.#reader = await open(index, undefined, like)
  }

  close(): Promise<void> {
    return this.#reader.close()
  }
}

function startAt(path: string, files: readonly FoundFile[], position: Json): DatasetPosition {
  const isOurs = typeof position === 'object' && position !== null && 'passed' in position
  const start = isOurs ? (position as unknown as DatasetPosition) : undefined
  if (start !== undefined && start.names === hashOf(files.slice(0, start.passed + 1))) return start
  const what = start
    ? `Among the ${start.passed + 1} files of ${path} that reading has come to, some came, went or have other names`
    : `The position stored for ${path} was made by another kind of source`
  throw new UsageError(
    'INPUT_CHANGED',
    `${what}. Files may come behind the last, not between. Put them back as they were to go on; or name the ` +
      'pipeline anew to start from the beginning.',
    { facts: { file: path } },
  )
}

function hashOf(files: readonly FoundFile[]): string {
  const names = files.map(({ name }) => name)
  return createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 32)
}

function bytesOf(files: readonly FoundFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

function withPartitions(columns: readonly Column[], file: FoundFile | undefined): Column[] {
  const own = new Set(columns.map(({ name }) => name))
  const more = Object.keys(partitionColumns(file?.path ?? '')).filter((name) => !own.has(name))
  return [...columns, ...more.map((name) => ({ name, type: 'string' as const, nullable: true }))]
}

/** What a file itself says goes before what its path says: that may be a part of it. */
function withValues(
  rows: readonly FileRecord[],
  partitions: Readonly<Record<string, string | null>>,
): readonly FileRecord[] {
  if (Object.keys(partitions).length === 0) return rows
  return rows.map((row) => (row instanceof MalformedRecord ? row : { ...partitions, ...row }))
}
