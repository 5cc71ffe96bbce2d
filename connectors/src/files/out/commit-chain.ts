import { join } from 'node:path'
import { CorruptDataError, FencedError, UsageError } from '@millrace/core'
import type { Json } from '@millrace/processors'
import { type OutputDisk, codeOf } from './disk.ts'

/** A finished file that a commit makes visible. */
export type CommittedFile = {
  /** Its name while it was under way, in the task's own directory. */
  readonly part: string
  /** What it is called then, relative to the sink's directory. */
  readonly path: string
}

/** What a commit says: how far the task has come, and the files that hold what is new. */
export interface Commit {
  /** Undefined before the first. */
  readonly position: Json | undefined
  readonly files: readonly CommittedFile[]
}

interface StoredCommit extends Commit {
  readonly format: 1
  readonly logId: string
  /** Of that log, the one that made the commit; absent where nothing can be copied. */
  readonly opening?: string
  readonly claim: string
}

/** Whose commits these are, for messages. */
export interface ChainOwner {
  readonly logId: string
  /** Of that log, the latest last; none where nothing can be copied. */
  readonly openings: readonly string[]
  /** Unlike that of any other process. */
  readonly claim: string
  /** Such as `task flights-0 of "csv out"`. */
  readonly what: string
}

/** Older ones are removed; a process would have to sleep through as many commits as this to find its number free again. */
const KEPT = 16

/**
 * A task's commits: numbered files, each made under a temporary name and then **linked** to its number,
 * which is atomic and never replaces. So of two processes only one can make commit n + 1, and whoever
 * claims a task makes one first: the process before it, however late it wakes, finds its number taken.
 *
 * The newest commit is the truth. What it names and was not renamed yet is renamed by the next claim.
 */
export class CommitChain {
  readonly #disk: OutputDisk
  readonly #directory: string
  readonly #owner: ChainOwner
  #number: number

  private constructor(disk: OutputDisk, directory: string, owner: ChainOwner, number: number) {
    this.#disk = disk
    this.#directory = directory
    this.#owner = owner
    this.#number = number
  }

  /**
   * Takes the chain over, whoever had it, and gives the newest commit.
   *
   * @throws UsageError SINK_OF_ANOTHER_LOG its position points into another log, or one that this is a copy of.
   */
  static async claim(
    disk: OutputDisk,
    directory: string,
    owner: ChainOwner,
  ): Promise<{ chain: CommitChain; newest: Commit }> {
    await disk.makeDirectory(directory)
    for (;;) {
      const number = Math.max(0, ...numbersOf(await disk.list(directory)))
      const newest = await readCommit(disk, directory, number)
      // Somebody else claims at the same time, and removed what we were about to read.
      if (newest === 'gone') continue
      if (newest !== undefined) refuseOtherLogs(directory, newest, owner)
      const chain = new CommitChain(disk, directory, owner, number)
      const commit = { position: newest?.position, files: newest?.files ?? [] }
      if (await chain.#tryAppend(commit)) return { chain, newest: commit }
    }
  }

  /**
   * Makes a commit; durable and in force when it resolves.
   *
   * @throws FencedError somebody claimed the task since; nothing happened.
   */
  async append(commit: Commit): Promise<void> {
    if (!(await this.#tryAppend(commit))) throw this.#fenced()
  }

  /** The number of our newest commit; every later one has a larger number, whoever makes it. */
  get number(): number {
    return this.#number
  }

  /** @throws FencedError somebody claimed the task since. */
  async expectOurs(): Promise<void> {
    const numbers = numbersOf(await this.#disk.list(this.#directory))
    if (numbers.some((number) => number > this.#number)) throw this.#fenced()
  }

  async #tryAppend({ position, files }: Commit): Promise<boolean> {
    const { logId, openings, claim } = this.#owner
    const stored = { format: 1, logId, opening: openings.at(-1), claim, position, files }
    const number = this.#number + 1
    const temporary = join(this.#directory, `${claim}.tmp`)
    await this.#disk.remove(temporary)
    await this.#writeDurably(temporary, Buffer.from(`${JSON.stringify(stored)}\n`))
    const isOurs = await this.#link(temporary, number)
    if (isOurs) await this.#disk.syncDirectory(this.#directory)
    await this.#disk.remove(temporary)
    if (!isOurs) return false
    const others = numbersOf(await this.#disk.list(this.#directory))
    if (others.some((other) => other > number)) {
      await this.#disk.remove(this.#path(number))
      return false
    }
    this.#number = number
    for (const old of others) {
      if (old <= number - KEPT) await this.#disk.remove(this.#path(old))
    }
    return true
  }

  async #writeDurably(path: string, bytes: Uint8Array): Promise<void> {
    const file = await this.#disk.open(path, 'new')
    try {
      await file.write(bytes, 0)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  async #link(temporary: string, number: number): Promise<boolean> {
    try {
      return await this.#disk.link(temporary, this.#path(number))
    } catch (error) {
      if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error) ?? '')) throw error
      throw new UsageError(
        'OUTPUT_UNWRITABLE',
        `${this.#directory}: this file system has no hard links, which keep two processes from writing ` +
          'the same records. Write to another disk, and copy the files from there.',
        { cause: error },
      )
    }
  }

  #path(number: number): string {
    return join(this.#directory, nameOf(number))
  }

  #fenced(): FencedError {
    return new FencedError(
      'SINK_FENCED',
      `Another process took over ${this.#owner.what}; nothing of what is not published yet will be.`,
      { facts: { directory: this.#directory } },
    )
  }
}

function nameOf(number: number): string {
  return `${String(number).padStart(20, '0')}.commit`
}

function numbersOf(names: readonly string[]): number[] {
  return names.flatMap((name) => {
    const digits = /^(\d{20})\.commit$/.exec(name)?.[1]
    return digits === undefined ? [] : [Number(digits)]
  })
}

async function readCommit(
  disk: OutputDisk,
  directory: string,
  number: number,
): Promise<StoredCommit | 'gone' | undefined> {
  if (number === 0) return undefined
  const path = join(directory, nameOf(number))
  try {
    const parsed = JSON.parse(await disk.read(path)) as StoredCommit
    if (parsed.format === 1) return parsed
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'gone'
    if (codeOf(error) !== undefined) throw error
  }
  throw new CorruptDataError(
    'CORRUPT_DATA',
    `${path} says how far this sink has come, and can't be read. Restore it from a copy; or move the files ` +
      'of this sink away, delete its .millrace directory, and let it begin again.',
    { facts: { file: path } },
  )
}

function refuseOtherLogs(directory: string, newest: StoredCommit, owner: ChainOwner): void {
  const { what, logId, openings } = owner
  const isSame = newest.logId === logId
  if (isSame && hasLivedThrough(newest.opening, openings)) return
  const problem = isSame
    ? `this log is a copy (or an older state) of the one that has written ${what} there: since they parted, ` +
      "both may hold other records under the same offsets, and one position can't stand for both. Nothing was touched"
    : `it holds a position of ${what} that belongs to another log than this one`
  throw new UsageError(
    'SINK_OF_ANOTHER_LOG',
    `${directory}: ${problem}. Go on with that log; or write to another directory; or move the files away ` +
      'and delete .millrace in theirs.',
    { facts: { directory, logId } },
  )
}

/** Of an opening older than all that the log remembers nobody can tell. */
function hasLivedThrough(opening: string | undefined, openings: readonly string[]): boolean {
  const [oldest] = openings
  if (opening === undefined || oldest === undefined || openings.includes(opening)) return true
  return epochOf(opening) < epochOf(oldest)
}

function epochOf(opening: string): number {
  return Number.parseInt(opening, 10)
}
