import { join } from 'node:path'
import { ClosedError, RejectedError } from '@millrace/core'
import type { Clock, Timer } from '@millrace/core/io'
import type { DeadLetter, Json, SinkBatch, SinkContext, SinkTask } from '@millrace/processors'
import type { CommitChain } from './commit-chain.ts'
import type { OutputDisk } from './disk.ts'
import type { Layout } from './layout.ts'
import { PartFile, type WithRoom } from './part-file.ts'
import type { PathRule } from './path-rule.ts'
import { outputFailed, taken } from './output-error.ts'
import { publish } from './publish.ts'
import { type OutFormat, RowMisfit } from './row-encoder.ts'

/** When files are closed and published; whichever comes first. */
export interface RollLimits {
  readonly rollBytes: number
  readonly rollRows: number
  readonly rollMs: number
  readonly openFilesMax: number
}

/** What a task works with. */
export interface FilesTaskContext {
  /** The task's name, safe in a path. */
  readonly name: string
  /** Unlike that of any other process. */
  readonly claim: string
  /** The sink's directory. */
  readonly root: string
  /** The task's own, in it. */
  readonly parts: string
  readonly format: OutFormat
  readonly layout: Layout
  readonly rule: PathRule
  readonly limits: RollLimits
  readonly disk: OutputDisk
  readonly clock: Clock
  readonly withRoom: WithRoom
  readonly context: Pick<SinkContext, 'deadLetter' | 'notice'>
}

/** In memory at most, over all files of a task. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024
/** Files of one commit; more than that, and they are published as they are. */
const COMMIT_FILES_MAX = 1000

/**
 * Writes one task's rows into files that nobody sees, and publishes them together: all are synced, a
 * commit names them with the position after them, and then they get their names. A crash before the
 * commit leaves nothing; after it, the next claim gives them their names.
 *
 * States: empty → gathering (some batches are in the open files) → empty (rolled), over and over →
 * finished (released, or something failed: nothing is published any more).
 */
export class FilesTask implements SinkTask {
  readonly #with: FilesTaskContext
  readonly #chain: CommitChain
  /** By directory, the least recently opened first. */
  readonly #files = new Map<string, PartFile>()
  #position: Json | undefined
  /** The position after what is in the open files. */
  #gathered: Json | undefined
  #timer: Timer | undefined
  #partsMade = 0
  #isReleased = false
  #last: Promise<void> = Promise.resolve()

  constructor(taskContext: FilesTaskContext, chain: CommitChain, position: Json | undefined) {
    this.#with = taskContext
    this.#chain = chain
    this.#position = position
  }

  get position(): Json | undefined {
    return this.#position
  }

  write(batch: SinkBatch): Promise<void> {
    return this.#inOrder(() => this.#write(batch))
  }

  flush(): Promise<void> {
    return this.#inOrder(() => this.#roll())
  }

  async release(): Promise<void> {
    this.#isReleased = true
    this.#timer?.cancel()
    await this.#last.catch(() => {})
    for (const file of this.#files.values()) await file.discard().catch(() => {})
    this.#files.clear()
  }

  /** One after the other; after a failure nothing more happens. */
  #inOrder(work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(() => {
      if (this.#isReleased) throw new ClosedError('CLOSED', 'This task of the sink was released.')
      return work().catch((error: unknown) => {
        throw outputFailed(this.#with.root, error)
      })
    })
    // A failure is this caller's, and every later one's.
    this.#last.catch(() => {})
    return this.#last
  }

  async #write(batch: SinkBatch): Promise<void> {
    const { layout, context } = this.#with
    // The files under way have no room for new columns.
    if (layout.widen(batch)) await this.#roll()
    this.#timer ??= this.#startTimer()
    for (const file of this.#files.values()) file.mark()
    const letters = await this.#addRows(batch)
    if (letters[0] !== undefined && context.deadLetter === undefined) {
      for (const file of this.#files.values()) file.undo()
      await this.#roll()
      throw this.#rejected(letters[0])
    }
    if (letters.length > 0) await context.deadLetter?.(letters)
    this.#gathered = batch.position
    await this.#drain()
    if (this.#isDue()) await this.#roll()
  }

  /** Gives the rows that no file can have. */
  async #addRows({ size, keys, values }: SinkBatch): Promise<DeadLetter[]> {
    const { rule, context } = this.#with
    const letters: DeadLetter[] = []
    for (let i = 0; i < size; i++) {
      const key = keys[i] ?? null
      const value = values[i] ?? null
      try {
        const directory = rule.directoryOf(key, value)
        const file = this.#files.get(directory) ?? (await this.#begin(directory))
        file.add(key, value)
      } catch (error) {
        if (!(error instanceof RowMisfit)) throw error
        letters.push({ index: i, code: 'ROW_REFUSED', cause: error.message })
        if (context.deadLetter === undefined) break
      }
    }
    return letters
  }

  async #begin(directory: string): Promise<PartFile> {
    const { disk, root, parts, name, claim, format, layout, rule, withRoom } = this.#with
    const path = join(directory, `${name}-${this.#place()}${format.extension}`)
    if (await disk.exists(join(root, path))) {
      // The next process writes files of the same names.
      await this.#chain.expectOurs()
      throw taken(join(root, path))
    }
    const part = `${claim}-${++this.#partsMade}.part`
    const file = new PartFile(
      disk,
      { where: join(parts, part), name: part, path },
      format.begin(layout.columns, rule.said),
      withRoom,
    )
    file.mark()
    this.#files.set(directory, file)
    return file
  }

  /** Where the rows of a file begin: what makes its name the same, however often it is written. */
  #place(): string {
    return String(placeOf(this.#position) ?? this.#chain.number).padStart(20, '0')
  }

  /** Writes out what has grown enough, or more than memory should hold. */
  async #drain(): Promise<void> {
    const files = [...this.#files.values()]
    let waitingBytes = 0
    for (const file of files) {
      if (file.isFull) await this.#drainFile(file)
      waitingBytes += file.waitingBytes
    }
    if (waitingBytes <= WAITING_BYTES_MAX) return
    files.sort((a, b) => b.waitingBytes - a.waitingBytes)
    for (const file of files) {
      if (waitingBytes <= WAITING_BYTES_MAX / 2) return
      waitingBytes -= file.waitingBytes
      await this.#drainFile(file)
    }
  }

  async #drainFile(file: PartFile): Promise<void> {
    await file.drain()
    const open = [...this.#files.values()].filter(({ isOpen }) => isOpen)
    const surplus = open.length - this.#with.limits.openFilesMax
    for (const other of open.slice(0, Math.max(0, surplus + 1))) {
      if (surplus > 0 && other !== file) await other.park()
    }
  }

  #isDue(): boolean {
    const { rollBytes, rollRows } = this.#with.limits
    if (this.#files.size >= COMMIT_FILES_MAX) return true
    for (const { bytes, rows } of this.#files.values()) {
      if (bytes >= rollBytes || rows >= rollRows) return true
    }
    return false
  }

  /** Publishes what was gathered. */
  async #roll(): Promise<void> {
    const { disk, root, parts, withRoom } = this.#with
    this.#timer?.cancel()
    this.#timer = undefined
    const position = this.#gathered
    if (position === undefined) return
    const files = [...this.#files.values()].filter(({ rows }) => rows > 0)
    for (const file of files) await file.finish()
    if (files.length > 0) await disk.syncDirectory(parts)
    // From here on a commit may name them: only the next claim may remove them.
    this.#files.clear()
    const committed = files.map(({ name, path }) => ({ part: name, path }))
    await withRoom(() => this.#chain.append({ position, files: committed }))
    this.#position = position
    this.#gathered = undefined
    await withRoom(() => publish(disk, root, parts, committed))
  }

  #startTimer(): Timer {
    const { clock, limits, context, name } = this.#with
    return clock.schedule(limits.rollMs, () => {
      this.#inOrder(() => this.#roll()).catch((error: unknown) => {
        if (!this.#isReleased) context.notice(`${name}: ${String(error)}`)
      })
    })
  }

  #rejected({ index, code, cause }: DeadLetter): RejectedError {
    return new RejectedError(
      'ROW_REFUSED',
      `Row ${index} of this batch can't be written to a file: ${cause}. Correct the record, or set a ` +
        'dead-letter topic, which takes such records so that the others pass.',
      { facts: { index, code, cause } },
    )
  }
}

/** The offset (or row of an input) that a position stands before. */
function placeOf(position: Json | undefined): number | undefined {
  if (position === undefined) return 0
  const { offset, rows } = Object(position) as { readonly offset?: Json; readonly rows?: Json }
  if (typeof offset === 'number') return offset
  return typeof rows === 'number' ? rows : undefined
}
