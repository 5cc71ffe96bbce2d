import { FailedError, MillraceError, UnavailableError } from '../errors.ts'
import type { File, FileSystem } from '../io/index.ts'
import { explained, forbidden, isForbidden } from './explained-file-system.ts'
import { errnoOf, writeFully } from './transfer.ts'

/**
 * The disk under one data directory, as writers see it. States: usable → failed, for good. A failed
 * sync may have dropped the pages it could not write, and the next sync would report success
 * (Rebello, ATC '20), so nothing is ever synced again: all writers stop, readers go on.
 */
export class Disk {
  readonly fileSystem: FileSystem
  readonly directory: string
  #failure: FailedError | undefined
  #isMissingEntries = false
  #syncsRunning = 0
  readonly #syncsWaiting: (() => void)[] = []

  constructor(fileSystem: FileSystem, directory: string) {
    this.fileSystem = explained(fileSystem)
    this.directory = directory
  }

  /** Why nothing can be written any more; `undefined` while all is well. */
  get failure(): FailedError | undefined {
    return this.#failure
  }

  /** Whatever was told to be durable is; false after a failure, or a lack of files. */
  get isInOrder(): boolean {
    return this.#failure === undefined && !this.#isMissingEntries
  }

  /**
   * Writes all of `bytes`. With `beforeSync` a sync follows at once, and the disk may do both in one go.
   *
   * @throws UnavailableError DISK_FULL: part of them may be in the file, for the caller to cut off.
   * @throws FailedError LOG_FAILED: the disk is lost for writing.
   */
  async write(file: File, bytes: Uint8Array, position: number, hint?: 'beforeSync'): Promise<void> {
    const turn = hint === 'beforeSync' ? this.#takeTurn() : undefined
    // Not awaited without need: the disk would then wait for whatever else was about to run.
    if (turn !== undefined) await turn
    try {
      this.assertUsable()
      await writeFully(file, bytes, position, hint)
    } catch (error) {
      throw this.shortage(error) ?? this.fail('write', error)
    } finally {
      if (hint === 'beforeSync') this.#endTurn()
    }
  }

  /** Makes everything written to `file` durable. At most a few run at once. */
  async sync(file: File): Promise<void> {
    await this.#takeTurn()
    try {
      this.assertUsable()
      await file.sync()
      this.assertUsable()
    } catch (error) {
      throw this.fail('sync', error)
    } finally {
      this.#endTurn()
    }
  }

  /** A promise only for who has to wait. */
  #takeTurn(): Promise<void> | undefined {
    if (this.#syncsRunning >= this.fileSystem.syncsAtOnce) {
      return new Promise<void>((resolve) => this.#syncsWaiting.push(resolve))
    }
    this.#syncsRunning++
    return undefined
  }

  #endTurn(): void {
    const next = this.#syncsWaiting.shift()
    if (next === undefined) this.#syncsRunning--
    else next()
  }

  /**
   * Makes the entries of a directory durable.
   *
   * @throws UnavailableError UNAVAILABLE when the process has no file left for it: they are not durable yet.
   */
  async syncDirectory(directory: string): Promise<void> {
    this.assertUsable()
    try {
      await this.fileSystem.syncDirectory(directory)
    } catch (error) {
      // Without a descriptor nothing was tried, so nothing was lost.
      if (!isShortOfFiles(error)) throw this.fail('sync the directory', error)
      this.#isMissingEntries = true
      throw tooManyFiles(error)
    }
  }

  /** Runs a step that must not half happen; an error other than a full disk is final. */
  async attempt<Result>(step: string, run: () => Promise<Result>): Promise<Result> {
    this.assertUsable()
    try {
      return await run()
    } catch (error) {
      if (error instanceof MillraceError) throw error
      if (isForbidden(error)) throw forbidden(step, error)
      throw this.shortage(error) ?? this.fail(step, error)
    }
  }

  /** @throws FailedError once the disk has failed. */
  assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Takes the data directory offline for writes; returns the error that everybody gets from now on. */
  fail(step: string, cause: unknown): FailedError {
    if (cause instanceof FailedError) return cause
    this.#failure ??= new FailedError(
      'LOG_FAILED',
      `The disk of ${this.directory} failed to ${step} (${messageOf(cause)}). Nothing more is written; whether ` +
        `unacknowledged records survive is unknown until the log is opened again. Check the disk, then restart.`,
      { cause, facts: { directory: this.directory, step } },
    )
    return this.#failure
  }

  /** The error for a lack of room or of files, which may pass; `undefined` for any other cause. */
  shortage(cause: unknown): UnavailableError | undefined {
    if (isShortOfFiles(cause)) return tooManyFiles(cause)
    if (!isDiskFull(cause)) return undefined
    return new UnavailableError(
      'DISK_FULL',
      `The disk of ${this.directory} is full (${messageOf(cause)}): nothing of this was written. Free some space and try again; a writer that still runs needs no restart.`,
      { cause, facts: { directory: this.directory } },
    )
  }
}

function isDiskFull(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'ENOSPC' || errno === 'EDQUOT'
}

/** The process, not the disk, has run out of something. */
function isShortOfFiles(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'EMFILE' || errno === 'ENFILE' || errno === 'ENOMEM'
}

function tooManyFiles(cause: unknown): UnavailableError {
  return new UnavailableError(
    'UNAVAILABLE',
    `The system gives this process no more files (${messageOf(cause)}). Nothing was changed; raise the limit (ulimit -n).`,
    { cause },
  )
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
