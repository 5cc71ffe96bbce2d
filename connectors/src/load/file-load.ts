import { stat } from 'node:fs/promises'
import { UsageError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import type { OpenSink, Source } from '@millrace/processors'
import { refuseChangedFile } from '../files/file-identity.ts'
import type { CopyTask } from '../postgres/copy-task.ts'
import { isCopyTask } from '../postgres/copy-task.ts'
import type { Target } from '../postgres/target.ts'
import type { Chunk } from './chunk.ts'
import type { Cutting, Input } from './input.ts'
import { openInput } from './input.ts'
import type { LanePosition } from './load-position.ts'
import { readLanePosition } from './load-position.ts'
import type { Range } from './ranges.ts'
import { addRange, gapsBetween, sizeOf } from './ranges.ts'
import type { RejectBatch, Rejects } from './rejects.ts'
import { ChunkStore } from './store-chunk.ts'
import type { Reject } from './store-chunk.ts'

/** What {@link FileLoad.open} needs. */
export interface FileLoadOptions {
  readonly source: Source<unknown>
  /** What the load is remembered by. */
  readonly name: string
  readonly sink: OpenSink
  readonly connections: number
  readonly cutting: Cutting
  readonly rejects: Rejects | undefined
  readonly signal: AbortSignal
}

/** Chunks go to it one at a time; its fence row says which of them are stored. */
interface Lane {
  readonly task: CopyTask
  rows: number
  rejected: number
  done: readonly Range[]
}

/**
 * One file on its way into a table by several lanes at once. Each chunk is a transaction of its own
 * with the stretch that it was cut from, so that a killed load reads again only what is not stored,
 * with however many lanes.
 */
export class FileLoad {
  readonly input: Input
  readonly target: Target
  readonly rowsBefore: number
  /** An earlier run stored a position. */
  readonly hasBegun: boolean
  readonly #name: string
  readonly #lanes: Lane[]
  readonly #idle: Lane[]
  readonly #rejects: Rejects | undefined
  readonly #waiting: ((lane: Lane) => void)[] = []
  #done: readonly Range[]
  #hasEnded: boolean

  private constructor(
    { name, rejects }: FileLoadOptions,
    input: Input,
    lanes: Lane[],
    state: { target: Target; done: readonly Range[]; hasEnded: boolean; hasBegun: boolean },
  ) {
    this.input = input
    this.target = state.target
    this.#name = name
    this.#lanes = lanes
    this.#idle = [...lanes]
    this.#rejects = rejects
    this.#done = addRange(state.done, [0, input.start])
    this.#hasEnded = state.hasEnded
    this.hasBegun = state.hasBegun
    this.rowsBefore = this.rows
  }

  /**
   * Takes over whatever lanes the file ever had.
   *
   * @throws UsageError INPUT_CHANGED the file is no longer the one that an earlier run began with.
   */
  static async open(options: FileLoadOptions): Promise<FileLoad | undefined> {
    const { source, name, sink, connections, cutting, signal } = options
    const input = await openInput(source, cutting, signal)
    if (input === undefined) return undefined
    try {
      const first = await claimLane(sink, name, 0)
      const stored = readLanePosition(name, input.format, first.position)
      // Without a number of rows: those that are stored need not be the first ones.
      if (stored) refuseChangedFile(input.path, { file: stored.file }, input.identity)
      const wanted = lanesFor(input, connections, cutting.chunkBytes)
      const before = stored?.lanes ?? 1
      const count = Math.max(wanted, before)
      const position = { ...(stored ?? emptyPosition(input)), lanes: count }
      // Whoever comes next must know of a lane before it may hold rows.
      if (count > 1) await first.transact(async () => position)
      const others = await Promise.all(
        Array.from({ length: count - 1 }, (_, index) => claimLane(sink, name, index + 1)),
      )
      // Who has taken over the first lane since has stored rows that we don't know of, and we have
      // taken the others from them: frozen in between, we would go on and write those rows again.
      if (count > 1) await first.transact(async () => position)
      const positions = [
        stored,
        ...others.map(({ position }) => readLanePosition(name, input.format, position)),
      ]
      const lanes = [first, ...others].map((task, index) => laneOf(task, positions[index]))
      const done = lanes.reduce<readonly Range[]>(
        (all, lane) => lane.done.reduce(addRange, all),
        [],
      )
      const hasEnded = positions.some((position) => position?.ended === true)
      const { target } = first
      const hasBegun = stored !== undefined
      return new FileLoad(options, input, lanes, { target, done, hasEnded, hasBegun })
    } catch (error) {
      await input.close()
      throw error
    }
  }

  /** Rows in the table from this file. */
  get rows(): number {
    return this.#lanes.reduce((sum, { rows }) => sum + rows, 0)
  }

  /** Records of this file that were refused. */
  get rejected(): number {
    return this.#lanes.reduce((sum, { rejected }) => sum + rejected, 0)
  }

  /** Bytes of the file, as stored, that need not be read. */
  get bytesDone(): number {
    return this.#isComplete
      ? this.input.identity.sizeBytes
      : this.input.storedBytes(sizeOf(this.#done))
  }

  get #isComplete(): boolean {
    return this.#hasEnded && this.#done.length === 1
  }

  /** What is not stored yet, in the file's order. */
  async *chunks(): AsyncGenerator<Chunk> {
    if (this.#isComplete) return
    for (const [from, until] of gapsBetween(this.#done)) {
      // What has an end was told apart by an earlier run, which found the file's end behind it.
      if (until === Infinity && this.#hasEnded) return
      let isLastSeen = false
      for await (const chunk of this.input.chunks(from, until)) {
        // What grows or shrinks meanwhile may end within a record.
        if (chunk.isLast) await this.#requireUnchanged()
        isLastSeen ||= chunk.isLast
        yield chunk
      }
      // Where the file ended with a chunk, that one could not know that it was the last.
      if (until === Infinity && !isLastSeen) await this.#requireUnchanged()
    }
  }

  /** Stores a chunk with its stretch; waits for a lane. */
  async store(chunk: Chunk): Promise<{ readonly rows: number; readonly rejected: number }> {
    const lane = this.#idle.pop() ?? (await this.#nextLane())
    try {
      return await this.#storeIn(lane, chunk)
    } finally {
      chunk.giveBack()
      const next = this.#waiting.shift()
      if (next) next(lane)
      else this.#idle.push(lane)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map(({ task }) => task.release()))
    await this.input.close()
  }

  async #requireUnchanged(): Promise<void> {
    const { path, identity } = this.input
    const { size, mtimeMs } = await stat(path)
    if (size === identity.sizeBytes && Math.floor(mtimeMs) === identity.mtimeMs) return
    throw new UsageError(
      'INPUT_CHANGED',
      `${path} changed while it was being loaded (${identity.sizeBytes} bytes at first, ${size} now). ` +
        `${this.rows} rows of it are stored. Load files that are finished; to start over, empty the ` +
        'table and give the load another name.',
      { facts: { file: path } },
    )
  }

  #nextLane(): Promise<Lane> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #storeIn(
    lane: Lane,
    chunk: Chunk,
  ): Promise<{ readonly rows: number; readonly rejected: number }> {
    const { task } = lane
    const store = new ChunkStore(task.target, this.#rejects !== undefined)
    let rows = 0
    let rejected = 0
    let done: readonly Range[] = []
    await task.transact(async (session, round) => {
      const stored = await store.write(session, round, chunk)
      if (stored === undefined) return undefined
      await this.#rejects?.keep(session, this.#batchOf(chunk, stored.rejects))
      rows = stored.rows
      rejected = stored.rejects.length
      done = addRange(this.#withStart(lane.done), chunk.range)
      return this.#positionOf(lane, done, rows, rejected, chunk.isLast || this.#hasEnded)
    })
    lane.rows += rows
    lane.rejected += rejected
    lane.done = done
    this.#done = addRange(this.#done, chunk.range)
    if (chunk.isLast) this.#hasEnded = true
    return { rows, rejected }
  }

  /** Says of all that is stored from the file's start on that it is, so that the list stays short. */
  #withStart(done: readonly Range[]): readonly Range[] {
    const [first] = this.#done
    return first?.[0] === 0 ? addRange(done, first) : done
  }

  #batchOf({ range }: Chunk, rejects: readonly Reject[]): RejectBatch {
    const { header } = this.input
    return { load: this.#name, from: range[0], header, rejects }
  }

  #positionOf(
    lane: Lane,
    done: readonly Range[],
    rows: number,
    rejected: number,
    ended: boolean,
  ): LanePosition {
    return {
      ...emptyPosition(this.input),
      lanes: this.#lanes.length,
      rows: lane.rows + rows,
      rejected: lane.rejected + rejected,
      done,
      ended,
    }
  }
}

async function claimLane(sink: OpenSink, name: string, index: number): Promise<CopyTask> {
  const task = await sink.claim(index === 0 ? name : `${name} #${index + 1}`)
  invariant(isCopyTask(task), 'a file is loaded into a sink that takes no copies')
  return task
}

function laneOf(task: CopyTask, position: LanePosition | undefined): Lane {
  const { rows = 0, rejected = 0, done = [] } = position ?? {}
  return { task, rows, rejected, done }
}

function emptyPosition({ format, identity }: Input): LanePosition {
  return { format, file: identity, lanes: 1, rows: 0, rejected: 0, done: [], ended: false }
}

/** A file of one chunk needs one lane; how long a compressed one is nobody knows. */
function lanesFor(input: Input, connections: number, chunkBytes: number): number {
  const { sizeBytes } = input.identity
  const isLengthKnown = input.storedBytes(1) > 0
  const chunks = Math.ceil(sizeBytes / (isLengthKnown ? chunkBytes : chunkBytes / 32))
  return Math.max(1, Math.min(connections, chunks))
}
