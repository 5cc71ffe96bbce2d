import { invariant } from '@millrace/core/internal'
import type { OpenSink, Source } from '@millrace/processors'
import { isCopyTask } from '../postgres/copy-task.ts'
import type { Session } from '../postgres/session.ts'
import type { Target } from '../postgres/target.ts'
import type { Chunk } from './chunk.ts'
import { explained } from './explain-failure.ts'
import type { Cutting, Input } from './input.ts'
import { openInput } from './input.ts'
import { readLoadPosition } from './load-position.ts'
import type { LoadPosition } from './load-position.ts'
import type { LoadResult } from './load.ts'
import type { ProgressMeter } from './load-progress.ts'
import type { Probed } from './probe.ts'
import { expectTable } from './probe.ts'
import type { RejectOptions } from './reject-options.ts'
import { Rejects } from './rejects.ts'
import type { Stored } from './store-chunk.ts'
import { ChunkStore } from './store-chunk.ts'

/** What {@link loadWhole} works with. */
export interface WholeLoadOptions {
  readonly source: Source<unknown>
  /** Undefined: the load is not remembered. */
  readonly name?: string
  readonly open: OpenSink
  readonly cutting: Cutting
  readonly rejects?: RejectOptions
  readonly meter: ProgressMeter
  readonly signal: AbortSignal
  readonly found: Probed
}

/** Loads one file in one transaction: for input that can't be read again, so that a rerun doubles nothing. */
export async function loadWhole(options: WholeLoadOptions): Promise<LoadResult> {
  const { source, name, open, cutting, meter, signal, found } = options
  const task = await open.claim(name ?? 'not remembered')
  invariant(isCopyTask(task), 'a file is loaded into a sink that takes no copies')
  const result = { filesUnchanged: 0, columns: found.columns }
  try {
    const done = name === undefined ? undefined : readLoadPosition(name, task.position)
    if (done) {
      const { rows } = done
      return { ...result, outcome: 'unchanged', rows, rowsBefore: rows, rejected: 0, elapsedMs: 0 }
    }
    const loads = name === undefined ? [] : [name]
    const rejects = options.rejects && (await Rejects.open(options.rejects, open, loads))
    const input = await openInput(source, cutting, signal)
    invariant(input !== undefined, 'what was a file is none any more')
    meter.start({ bytes: found.bytes })
    const whole = new Whole(input, task.target, { rejects, load: name ?? null }, meter, signal)
    try {
      expectTable(found, task.target, input.path)
      await task.transact((session, round) => whole.write(session, round))
    } catch (error) {
      if (!signal.aborted) throw explained(error, 0)
      meter.rows = 0
    } finally {
      await input.close()
    }
    await rejects?.export()
    const { rows, rejected } = meter
    const elapsedMs = meter.finish(!signal.aborted)
    const outcome = signal.aborted ? 'stopped' : 'loaded'
    return { ...result, outcome, rows, rowsBefore: 0, rejected, elapsedMs }
  } finally {
    await task.release()
  }
}

/** Where refused records are kept, and for which load. */
interface Kept {
  readonly rejects: Rejects | undefined
  readonly load: string | null
}

class Whole {
  readonly #input: Input
  readonly #target: Target
  readonly #kept: Kept
  readonly #meter: ProgressMeter
  readonly #signal: AbortSignal
  /** What was found out in earlier rounds. */
  readonly #stores = new Map<number, ChunkStore>()

  constructor(input: Input, target: Target, kept: Kept, meter: ProgressMeter, signal: AbortSignal) {
    this.#input = input
    this.#target = target
    this.#kept = kept
    this.#meter = meter
    this.#signal = signal
  }

  async write(session: Session, round: number): Promise<LoadPosition | undefined> {
    const meter = this.#meter
    meter.rows = 0
    meter.bytes = 0
    meter.rejected = 0
    if (round === 0) this.#stores.clear()
    for await (const chunk of this.#input.chunks(this.#input.start, Infinity)) {
      this.#signal.throwIfAborted()
      const stored = await this.#store(session, chunk, round)
      if (stored === undefined) return undefined
      meter.rejected += stored.rejects.length
      meter.moved(stored.rows, chunk.storedBytes)
    }
    this.#signal.throwIfAborted()
    return { rows: meter.rows, source: null }
  }

  async #store(session: Session, chunk: Chunk, round: number): Promise<Stored | undefined> {
    const [from] = chunk.range
    const { rejects, load } = this.#kept
    const mayReject = rejects !== undefined
    const store = this.#stores.get(from) ?? new ChunkStore(this.#target, mayReject)
    this.#stores.set(from, store)
    const stored = await store.write(session, round, chunk)
    if (stored) {
      const { header } = this.#input
      await rejects?.keep(session, { load, from, header, rejects: stored.rejects })
    }
    store.giveBack()
    await this.#target.clear(session)
    return stored
  }
}
