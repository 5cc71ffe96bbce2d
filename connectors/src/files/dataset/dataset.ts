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

/** Opens one file. */
type OpenFile = (path: string, context: SourceContext) => Promise<SourceReader<FileRecord>>

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
  const start = context.position === undefined ? undefined : startAt(path, files, context.position)
  const first = files[start?.passed ?? 0]?.path ?? path
  const reader = await openFile(first, { ...context, position: start?.at })
  return new DatasetReader(files, openFile, context.signal, reader, start)
}

class DatasetReader implements SourceReader<FileRecord> {
  readonly columns?: readonly Column[]
  readonly isSample = true
  readonly total: { readonly bytes: number }
  readonly #files: readonly FoundFile[]
  readonly #openFile: OpenFile
  readonly #signal: AbortSignal
  readonly #start: Omit<DatasetPosition, 'names' | 'at'>
  #reader: SourceReader<FileRecord>

  constructor(
    files: readonly FoundFile[],
    openFile: OpenFile,
    signal: AbortSignal,
    reader: SourceReader<FileRecord>,
    start: Omit<DatasetPosition, 'names' | 'at'> = { passed: 0, passedRows: 0, rows: 0 },
  ) {
    this.#files = files
    this.#openFile = openFile
    this.#signal = signal
    this.#reader = reader
    this.#start = start
    this.total = { bytes: bytesOf(files) }
    const { columns } = reader
    if (columns !== undefined) this.columns = withPartitions(columns, files[start.passed])
  }

  async *batches(): AsyncGenerator<SourceBatch<FileRecord>> {
    let { passed, passedRows, rows } = this.#start
    for (const file of this.#files.slice(passed)) {
      if (passed > this.#start.passed) await this.#turnTo(file)
      const partitions = partitionColumns(file.path)
      const names = hashOf(this.#files.slice(0, passed + 1))
      const passedBytes = bytesOf(this.#files.slice(0, passed))
      for await (const batch of this.#reader.batches()) {
        rows = batch.rowsRead
        yield {
          rows: withValues(batch.rows, partitions),
          position: { passed, passedRows, names, rows, at: batch.position },
          bytesRead: passedBytes + batch.bytesRead,
          rowsRead: passedRows + rows,
        }
      }
      if (this.#signal.aborted) return
      passed += 1
      passedRows += rows
      rows = 0
    }
  }

  async #turnTo(file: FoundFile): Promise<void> {
    await this.#reader.close()
    this.#reader = await this.#openFile(file.path, { position: undefined, signal: this.#signal })
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
