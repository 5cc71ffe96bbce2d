import { UnavailableError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import type { OpenSink, Source } from '@millrace/processors'
import type { Chunk } from './chunk.ts'
import { FileLoad } from './file-load.ts'
import { explained } from './explain-failure.ts'
import type { Cutting } from './input.ts'
import type { LoadResult } from './load.ts'
import type { ProgressMeter } from './load-progress.ts'
import type { Probed } from './probe.ts'
import { expectTable } from './probe.ts'
import type { RejectOptions } from './reject-options.ts'
import { Rejects } from './rejects.ts'
import { Slots } from './slots.ts'

/** What {@link FilesLoad} works with. */
export interface FilesLoadOptions {
  readonly sources: readonly Source<unknown>[]
  readonly name?: string
  readonly open: OpenSink
  readonly connections: number
  readonly cutting: Cutting
  readonly rejects?: RejectOptions
  readonly meter: ProgressMeter
  readonly signal: AbortSignal
  readonly found: Probed
}

/**
 * Loads files one after the other; while the last chunks of one are being stored, the next is read.
 * States: reading → (signal, or a failure) draining → done. What is under way is always seen to its end.
 */
export class FilesLoad {
  readonly #with: FilesLoadOptions
  readonly #slots: Slots
  #rejects: Rejects | undefined
  readonly #underWay = new Set<Promise<void>>()
  #failure: { readonly error: unknown; readonly file: FileLoad | undefined } | undefined
  #rowsBefore = 0
  #filesUnchanged = 0

  constructor(options: FilesLoadOptions) {
    this.#with = options
    this.#slots = new Slots(options.connections)
  }

  async run(): Promise<LoadResult> {
    const { sources, meter, signal, found, open, rejects } = this.#with
    const loads = sources.map((source) => this.#nameOf(source))
    this.#rejects = rejects && (await Rejects.open(rejects, open, loads))
    meter.start({ bytes: found.bytes, files: sources.length })
    for (const source of sources) {
      if (this.#isOver) break
      await this.#loadFile(source)
    }
    await Promise.all(this.#underWay)
    // Who is gone was waited for already; what is kept there is exported by the next run.
    if (!(this.#failure?.error instanceof UnavailableError)) await this.#rejects?.export()
    if (this.#failure) throw explained(this.#failure.error, this.#failure.file?.rows ?? 0)
    const isDone = !signal.aborted
    const elapsedMs = meter.finish(isDone)
    return {
      outcome: !isDone
        ? 'stopped'
        : this.#filesUnchanged === sources.length
          ? 'unchanged'
          : 'loaded',
      rows: meter.rows,
      rowsBefore: this.#rowsBefore,
      rejected: meter.rejected,
      filesUnchanged: this.#filesUnchanged,
      columns: found.columns,
      elapsedMs,
    }
  }

  get #isOver(): boolean {
    return this.#with.signal.aborted || this.#failure !== undefined
  }

  async #loadFile(source: Source<unknown>): Promise<void> {
    let file: FileLoad | undefined
    const stored: Promise<void>[] = []
    try {
      file = await this.#openFile(source)
      expectTable(this.#with.found, file.target, file.input.path)
      for await (const chunk of file.chunks()) {
        await this.#slots.take()
        if (this.#isOver) {
          this.#slots.give()
          break
        }
        stored.push(this.#store(file, chunk))
      }
      if (stored.length === 0 && file.hasBegun && !this.#isOver) this.#filesUnchanged += 1
    } catch (error) {
      this.#fail(error, file)
    }
    if (file) this.#finishLater(file, stored)
  }

  async #openFile(source: Source<unknown>): Promise<FileLoad> {
    const { open, connections, cutting, signal, meter } = this.#with
    const name = this.#nameOf(source)
    const rejects = this.#rejects
    const file = await FileLoad.open({
      source,
      name,
      sink: open,
      connections,
      cutting,
      rejects,
      signal,
    })
    invariant(file !== undefined, 'what was a file is none any more')
    meter.resumed(file.rows, file.rejected, file.bytesDone)
    this.#rowsBefore += file.rows
    return file
  }

  #nameOf(source: Source<unknown>): string {
    const { name, sources } = this.#with
    const path = 'path' in source && typeof source.path === 'string' ? source.path : source.name
    if (name === undefined) return path
    return sources.length === 1 ? name : `${name}: ${path}`
  }

  async #store(file: FileLoad, chunk: Chunk): Promise<void> {
    const { meter } = this.#with
    try {
      const { rows, rejected } = await file.store(chunk)
      meter.rejected += rejected
      meter.moved(rows, chunk.storedBytes)
    } catch (error) {
      this.#fail(error, file)
    } finally {
      this.#slots.give()
    }
  }

  /** The next file is read meanwhile. */
  #finishLater(file: FileLoad, stored: readonly Promise<void>[]): void {
    const finishing = Promise.all(stored)
      .then(() => {
        if (!this.#isOver) this.#with.meter.filesDone += 1
        return file.close()
      })
      .catch((error: unknown) => this.#fail(error, file))
      .finally(() => this.#underWay.delete(finishing))
    this.#underWay.add(finishing)
  }

  #fail(error: unknown, file: FileLoad | undefined): void {
    this.#failure ??= { error, file }
  }
}
