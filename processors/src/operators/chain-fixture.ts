import { nodeClock } from '@millrace/core/io'
import type { Clock } from '@millrace/core/io'
import type { Pipeline } from '../pipeline.ts'
import type { Stage } from '../plan.ts'
import { MemoryStore } from '../state/memory-store.ts'
import type { ChangelogRecord } from '../state/store.ts'
import { type Chain, compileChain } from './chain.ts'
import type { DropReason } from './operator.ts'
import type { NamedKey, StreamRecord } from './record.ts'

/** A record for a {@link ChainDriver}. */
export interface DrivenRecord {
  readonly key?: NamedKey | null
  readonly value: unknown
  readonly timestampMs: number
}

interface DriverOptions {
  /** The stage to run; default: the pipeline's first that isn't an ingest. */
  readonly stageId?: string
  readonly clock?: Clock
  /** Passes over records that callbacks throw on; default: the first one ends the chain. */
  readonly skipsFailures?: boolean
}

/** Runs the chain of one stage in one task, for tests of operators: no log, no commits. */
export class ChainDriver {
  readonly stage: Stage
  readonly stores = new Map<string, MemoryStore>()
  /** What reached each output's topic (or sink), in order. */
  readonly out = new Map<string, StreamRecord[]>()
  readonly dropped: { readonly reason: DropReason; readonly offset: number }[] = []
  /** Offsets of the records that callbacks threw on and that were passed over. */
  readonly failed: number[] = []
  readonly #chain: Chain
  #offset = 0

  constructor(pipeline: Pipeline, options: DriverOptions = {}) {
    const { stageId, clock = nodeClock, skipsFailures = false } = options
    const stage = pipeline.plan.stages.find(({ id, kind }) =>
      stageId === undefined ? kind !== 'ingest' : id === stageId,
    )
    if (stage === undefined) throw new Error(`no stage ${stageId ?? ''}`)
    this.stage = stage
    this.#chain = compileChain(stage, {
      partition: 0,
      clock,
      signal: new AbortController().signal,
      store: ({ name }) => this.store(name),
      emit: (output, record) => this.#take(output, record),
      failed: (node, { offset }, error) => {
        if (!skipsFailures) throw new Error(`${node}@${offset}`, { cause: error })
        this.failed.push(offset)
      },
      dropped: (_, reason, { offset }) => this.dropped.push({ reason, offset }),
    })
  }

  store(name: string): MemoryStore {
    const store = this.stores.get(name) ?? new MemoryStore(name)
    this.stores.set(name, store)
    return store
  }

  push(record: DrivenRecord, input = this.#inputs[0] ?? ''): void {
    this.#chain.push(input, {
      key: record.key ?? null,
      value: record.value,
      timestampMs: record.timestampMs,
      headers: undefined,
      origin: { topic: input, partition: 0 },
      offset: this.#offset++,
    })
  }

  /** Ends the epoch. */
  drain(): Promise<void> {
    return this.#chain.drain()
  }

  flushWindows(options: { readonly close: boolean }): void {
    this.#chain.flushWindows(options)
  }

  /** What the stores would write to their changelogs. */
  takeChanges(): ChangelogRecord[] {
    return [...this.stores.values()].flatMap((store) => store.takeChanges())
  }

  /** Records that reached a topic or sink. */
  to(name: string): StreamRecord[] {
    return this.out.get(name) ?? []
  }

  get #inputs(): readonly string[] {
    const { stage } = this
    return (stage.kind === 'process' ? stage.inputs : [stage.input]).map((input) => input.id)
  }

  #take(id: string, record: StreamRecord): void {
    const { stage } = this
    const name =
      stage.kind === 'deliver'
        ? stage.sink.name
        : stage.outputs.find((output) => output.id === id)?.topic.name
    if (name === undefined) throw new Error(`no output ${id}`)
    const taken = this.out.get(name)
    if (taken === undefined) this.out.set(name, [record])
    else taken.push(record)
  }
}
