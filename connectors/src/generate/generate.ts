import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '@millrace/core'
import {
  callback,
  checkOptions,
  type Checks,
  count,
  expecting,
  positive,
  required,
  text,
} from '@millrace/core/options'
import type { Json, Source, SourceBatch, SourceContext, SourceReader } from '@millrace/processors'

/** Options of {@link generate}. */
export interface GenerateOptions<Row> {
  /**
   * Makes record `index` (from 0). `random` gives numbers in [0, 1) that depend on seed and index
   * alone, so that a resumed run makes the same records.
   */
  readonly record: (index: number, random: () => number) => Row
  /** Records in all; endless without it. */
  readonly count?: number
  /** Records a second; as fast as they are taken without it. */
  readonly rate?: number
  /** Other records for another seed. Default 1. */
  readonly seed?: number
  /** Tells several generators of a pipeline apart. Default `generate`. */
  readonly name?: string
}

const batchRowsMax = 8192
/** With a rate, records come in portions of this time. */
const portionMs = 10

const CHECKS: Checks<GenerateOptions<never>> = {
  record: required(callback),
  count: count(0),
  rate: positive,
  seed: expecting('a number', Number.isFinite),
  name: text,
}

/**
 * Makes records out of nothing, for load and for examples. The position is the next index, so
 * a resumed run goes on there with the very same records.
 *
 * @throws UsageError for options that make no sense.
 */
export function generate<Row>(options: GenerateOptions<Row>): Source<Row> {
  checkOptions('generate', options, CHECKS)
  const name = options.name ?? 'generate'
  return {
    kind: 'source',
    name,
    bounded: options.count !== undefined,
    async open(context) {
      return new GeneratedRows(options, indexOf(name, context.position), context)
    },
  }
}

class GeneratedRows<Row> implements SourceReader<Row> {
  readonly total: { readonly rows?: number }
  readonly #options: GenerateOptions<Row>
  readonly #signal: AbortSignal
  #next: number

  constructor(options: GenerateOptions<Row>, next: number, { signal }: SourceContext) {
    this.#options = options
    this.#next = next
    this.#signal = signal
    this.total = options.count === undefined ? {} : { rows: options.count }
  }

  async *batches(): AsyncGenerator<SourceBatch<Row>> {
    const { count = Infinity, rate = Infinity } = this.#options
    const first = this.#next
    const startMs = performance.now()
    while (this.#next < count && !this.#signal.aborted) {
      const due = first + Math.floor(((performance.now() - startMs) / 1000) * rate)
      const end = Math.min(count, this.#next + batchRowsMax, rate === Infinity ? count : due)
      if (end <= this.#next) {
        await this.#wait()
        continue
      }
      yield this.#make(end)
    }
  }

  #make(end: number): SourceBatch<Row> {
    const { record, seed = 1 } = this.#options
    const rows: Row[] = []
    for (; this.#next < end; this.#next++) rows.push(record(this.#next, randomOf(seed, this.#next)))
    return { rows, position: { next: end }, bytesRead: 0, rowsRead: end }
  }

  async #wait(): Promise<void> {
    // Aborted while it waits: the loop sees the signal.
    await sleep(portionMs, undefined, { signal: this.#signal }).catch(() => {})
  }

  async close(): Promise<void> {}
}

/** Mulberry32, begun at a mix of seed and index. */
function randomOf(seed: number, index: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function indexOf(name: string, position: Json | undefined): number {
  if (position === undefined) return 0
  if (position !== null && typeof position === 'object' && 'next' in position) {
    const { next } = position
    if (typeof next === 'number') return next
  }
  throw new UsageError(
    'INPUT_CHANGED',
    `The position stored for ${name} was made by another kind of source: ` +
      `${JSON.stringify(position)}. Name the generator anew to start from the beginning.`,
  )
}
