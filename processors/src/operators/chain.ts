import { merge, Observable, share, Subscriber } from 'rxjs'
import { invariant } from '@millrace/core/internal'
import type { Stage, StageNode } from '../plan.ts'
import type { StepScope, TaskContext } from './operator.ts'
import type { StreamRecord } from './record.ts'

/** The operators of one stage in one task, compiled to RxJS. */
export interface Chain {
  /**
   * Feeds a record of an input (by the input's id); outputs come by `TaskContext.emit`.
   *
   * @throws what `TaskContext.failed` throws; the chain is then of no more use.
   */
  push(input: string, record: StreamRecord): void
  /** Resolves when everything pushed has left: asynchronous operators are idle, buffers are flushed. Ends an epoch. */
  drain(): Promise<void>
  /**
   * Emits what open windows hold: `close: true` ends them for good, `false` shows them as early
   * results. Call after a `drain`, and drain again.
   */
  flushWindows(options: { readonly close: boolean }): void
  /** Drops what is under way. */
  close(): void
}

/** Builds the chain of one task of a stage. */
export type CompileChain = (stage: Stage, task: TaskContext) => Chain

/** Builds the chain of one task of a stage as RxJS operators over one Observable per input. */
export const compileChain: CompileChain = (stage, task) => new RxChain(stage, task)

class RxChain implements Chain {
  readonly #inputs = new Map<string, Input>()
  /** By place of the node in the stage, which is upstream first. */
  readonly #drains: (() => Promise<void> | void)[] = []
  readonly #flushes: ((close: boolean) => void)[] = []
  readonly #ends: Subscriber<StreamRecord>[] = []
  #failure: { readonly error: unknown } | undefined

  constructor(stage: Stage, task: TaskContext) {
    const streams = new Map<string, Observable<StreamRecord>>()
    for (const { id } of stage.kind === 'process' ? stage.inputs : [stage.input]) {
      const input = new Input()
      this.#inputs.set(id, input)
      streams.set(id, input)
    }
    const forks = forksOf(stage)
    for (const [place, node] of stage.nodes.entries()) {
      const source = merge(...node.inputs.map((id) => streamOf(streams, id)))
      const scope = this.#scopeOf(stage, node, place, task)
      const results = source.pipe(node.step.compile(scope))
      // A stream that forks must not run its operators once per branch; for others it would only cost.
      streams.set(node.id, forks.has(node.id) ? results.pipe(share()) : results)
    }
    for (const { id, from } of outputsOf(stage)) {
      const end = new Output((record) => task.emit(id, record), this.#fail)
      this.#ends.push(end)
      streamOf(streams, from).subscribe(end)
    }
  }

  push(input: string, record: StreamRecord): void {
    const entry = this.#inputs.get(input)
    // The text of the message must not be made for every record.
    if (entry === undefined) invariant(false, `a stage has no input ${input}`)
    entry.next(record)
    this.#throwFailure()
  }

  async drain(): Promise<void> {
    this.#throwFailure()
    for (const drain of this.#drains) {
      await drain?.()
      this.#throwFailure()
    }
  }

  flushWindows({ close }: { readonly close: boolean }): void {
    for (const flush of this.#flushes) flush?.(close)
    this.#throwFailure()
  }

  close(): void {
    for (const end of this.#ends) end.unsubscribe()
  }

  #scopeOf(stage: Stage, node: StageNode, place: number, task: TaskContext): StepScope {
    const aside =
      stage.kind === 'deliver'
        ? undefined
        : stage.outputs.find((output) => output.aside && output.from === node.id)
    return {
      node: node.id,
      task,
      store: node.store === undefined ? undefined : task.store(node.store),
      lastPerKey: node.lastPerKey,
      aside: aside && ((record) => task.emit(aside.id, record)),
      onDrain: (drain) => {
        this.#drains[place] = drain
      },
      onFlushWindows: (flush) => {
        this.#flushes[place] = flush
      },
    }
  }

  readonly #fail = (error: unknown): void => {
    this.#failure ??= { error }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}

/** The nodes whose results go more than one way. */
function forksOf(stage: Stage): ReadonlySet<string> {
  const read = [
    ...stage.nodes.flatMap(({ inputs }) => inputs),
    ...outputsOf(stage).map(({ from }) => from),
  ]
  return new Set(read.filter((id, place) => read.indexOf(id) !== place))
}

/**
 * Where records enter. A Subject would do, but makes six objects for each record that passes it, as
 * much garbage as all else together (measured); and who reads is known before the first comes.
 */
class Input extends Observable<StreamRecord> {
  readonly #readers: Subscriber<StreamRecord>[]

  constructor() {
    const readers: Subscriber<StreamRecord>[] = []
    super((reader) => void readers.push(reader))
    this.#readers = readers
  }

  next(record: StreamRecord): void {
    const readers = this.#readers
    for (let at = 0; at < readers.length; at++) readers[at]?.next(record)
  }
}

class Output extends Subscriber<StreamRecord> {
  readonly #take: (record: StreamRecord) => void
  readonly #fail: (error: unknown) => void

  constructor(take: (record: StreamRecord) => void, fail: (error: unknown) => void) {
    super()
    this.#take = take
    this.#fail = fail
  }

  protected override _next(record: StreamRecord): void {
    try {
      this.#take(record)
    } catch (error) {
      this.#fail(error)
    }
  }

  protected override _error(error: unknown): void {
    this.#fail(error)
  }
}

function streamOf(
  streams: ReadonlyMap<string, Observable<StreamRecord>>,
  id: string,
): Observable<StreamRecord> {
  const stream = streams.get(id)
  invariant(stream !== undefined, `a stage has no input or node ${id} before it is used`)
  return stream
}

function outputsOf(stage: Stage): readonly { readonly id: string; readonly from: string }[] {
  if (stage.kind !== 'deliver') return stage.outputs.filter((output) => !output.aside)
  return [{ id: stage.output, from: stage.nodes.at(-1)?.id ?? stage.input.id }]
}
