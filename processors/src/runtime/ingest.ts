import type { StreamRecord } from '../operators/record.ts'
import type { Chain } from '../operators/chain.ts'
import { type MillraceError, RejectedError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import { MalformedRecord } from '../malformed-record.ts'
import type { IngestStage } from '../plan.ts'
import type { SourceBatch, SourceReader } from '../source.ts'
import { DeadLetterLimit } from './dead-letter-limit.ts'
import { deadLetterTopic } from './dead-letter.ts'
import { Epoch } from './epoch.ts'
import { Failures, placeInSource } from './failures.ts'
import { OutputWriter } from './output-writer.ts'
import { StageCounters } from './progress.ts'
import { forgetOldPositions, readSourcePositions, type SourceState } from './source-positions.ts'
import type { RunContext, StageRun } from './stage-context.ts'
import { noStore, StageTask } from './stage-task.ts'
import { outputTopics, sourcesTopic } from './topics.ts'
import { transactionalId } from './transactional-id.ts'
import { TransactionalWriter } from './transactional-writer.ts'
import { Upkeep } from './upkeep.ts'
import { writtenTopics } from './written-topics.ts'

type Batch = SourceBatch<unknown>
type RecordPlace = Pick<StreamRecord, 'origin' | 'offset' | 'timestampMs'>
type Writable<T> = { -readonly [K in keyof T]: T[K] }

// A minute or more of epochs: their positions are read again to find which is the last of each source.
const FORGET_EVERY_COMMITS = 1000

/** Source → topics: one transaction for the records of an epoch and the source's position after them. */
export class IngestRun implements StageRun {
  readonly counters: StageCounters
  readonly #context: RunContext
  readonly #stage: IngestStage
  readonly #epoch: Epoch
  readonly #upkeep: Upkeep
  readonly #outputs = new Map<string, OutputWriter>()
  #writer: TransactionalWriter | undefined
  #reader: SourceReader<unknown> | undefined
  #task: StageTask | undefined
  #failures: Failures | undefined
  #chain: Chain | undefined
  #rowsRead = 0
  #commits = 0
  /** What the next commit says of the source; undefined: nothing new. */
  #state: SourceState | undefined
  #hadEnded = false
  /** The commit in flight. */
  #committing: Promise<void> | undefined

  constructor(context: RunContext, stage: IngestStage) {
    this.#context = context
    this.#stage = stage
    this.counters = new StageCounters(stage.id, 'ingest')
    this.#epoch = new Epoch(context.clock)
    this.#upkeep = new Upkeep(context.control)
  }

  async open(): Promise<void> {
    const { log, plan, compile, clock, control, onError, thread } = this.#context
    const stage = this.#stage
    const names = [...outputTopics(stage), sourcesTopic(plan.pipeline)]
    const writer = await TransactionalWriter.open(
      log,
      transactionalId(plan.pipeline, stage.id, thread),
      writtenTopics(this.#context, names),
    )
    this.#writer = writer
    const failures = new Failures(
      onError,
      this.counters,
      new DeadLetterLimit(this.#context, this.counters),
      (letter) => writer.appendDeadLetter(deadLetterTopic(plan.pipeline), letter),
      placeInSource,
    )
    this.#failures = failures
    const task = new StageTask({
      partition: 0,
      clock,
      signal: control.abort,
      counters: this.counters,
      failures,
      inputs: [],
      store: noStore,
      emit: (output, record) => this.#outputs.get(output)?.write(record, 0),
    })
    this.#task = task
    for (const output of stage.outputs) {
      const refuse = (at: string, record: StreamRecord, error: unknown) =>
        failures.handle(task.failure(at, 'cannot be written', record, error))
      this.#outputs.set(output.id, new OutputWriter(output, writer, refuse))
    }
    this.#chain = compile(stage, task)
    await this.#openSource()
  }

  async run(): Promise<void> {
    const { control, bounds } = this.#context
    this.counters.state = 'running'
    try {
      const hasEnded = await this.#readAll()
      control.abort.throwIfAborted()
      const isNews = this.#state !== undefined || !this.#hadEnded
      await this.#commit(hasEnded && isNews)
      await this.#committing
      if (!hasEnded) return
      this.counters.state = 'ended'
      await bounds.stageEnded(outputTopics(this.#stage))
    } catch (error) {
      await this.#writer?.abort().catch(() => {})
      throw error
    }
  }

  async close(): Promise<void> {
    this.#chain?.close()
    await this.#upkeep.finish()
    await this.#reader?.close()
  }

  async #openSource(): Promise<void> {
    const { log, plan, control } = this.#context
    const { source } = this.#stage.input
    await forgetOldPositions(log, plan.pipeline)
    const state = (await readSourcePositions(log, plan.pipeline)).get(this.#stage.id)
    const context = { position: state?.position, signal: control.drain }
    const reader = await (source.openLenient?.(context) ?? source.open(context))
    this.#reader = reader
    this.#hadEnded = state?.ended ?? false
    this.#rowsRead = state?.rows ?? 0
    this.counters.rowsBefore = this.#rowsRead
    this.counters.bytesTotal = reader.total.bytes
    this.#countRowsLeft()
  }

  /** True when the source has come to its end. */
  async #readAll(): Promise<boolean> {
    const { control } = this.#context
    const batches = this.#reader?.batches()[Symbol.asyncIterator]()
    invariant(batches !== undefined, 'an ingest stage ran before it was opened')
    let next = batches.next()
    next.catch(() => {})
    while (!control.draining) {
      if (!this.#epoch.isEmpty && !(await this.#comesSoon(next))) {
        await this.#commit(false)
        continue
      }
      await control.waitFor([next])
      if (control.draining) break
      const { done, value } = await next
      if (done === true) return true
      this.#take(value)
      next = batches.next()
      next.catch(() => {})
    }
    return false
  }

  /**
   * Whether the open epoch should wait for this batch. It waits as long as the commit before it is
   * under way, for it could not be committed sooner, but never beyond its limits.
   */
  async #comesSoon(next: Promise<unknown>): Promise<boolean> {
    if (this.#epoch.isOver || this.#epoch.remainingMs === 0) return false
    const arrived = next.then(() => true)
    const turn = new Promise<false>((resolve) => setImmediate(resolve, false))
    const free = this.#committing === undefined ? turn : this.#committing.then(() => turn)
    let expire: () => void = () => {}
    const over = new Promise<false>((resolve) => {
      const timer = this.#context.clock.schedule(this.#epoch.remainingMs, () => resolve(false))
      expire = () => timer.cancel()
    })
    return Promise.race([arrived, free, over]).finally(expire)
  }

  #take({ rows, position, bytesRead, rowsRead }: Batch): void {
    const { input } = this.#stage
    const { timeOf } = input
    const nowMs = this.#context.clock.nowMs()
    const origin = { topic: input.source.name, partition: 0 }
    let offset = rowsRead - rows.length
    for (const value of rows) {
      this.#epoch.add(0)
      if (value instanceof MalformedRecord) {
        this.#passOver(value, { origin, offset, timestampMs: nowMs })
        offset++
        continue
      }
      const record = { key: null, value, timestampMs: nowMs, headers: undefined, origin, offset }
      offset++
      if (timeOf !== undefined && !this.#stampTime(record, timeOf)) continue
      this.#chain?.push(input.id, record)
    }
    this.#rowsRead = rowsRead
    this.#state = { position, rows: rowsRead, ended: false }
    this.counters.bytes = bytesRead
  }

  /** @throws RejectedError under the policy `fail`. */
  #passOver({ bytes, error }: MalformedRecord, place: RecordPlace): void {
    if (this.#context.onError === 'fail') throw orPassOver(error)
    const { name } = this.#stage.input.source
    const what = 'cannot be read'
    this.#failures?.handle({
      at: name,
      what,
      error,
      ...place,
      original: () => undefined,
      made: bytes,
    })
  }

  /** False when the row has no time and is passed over. */
  #stampTime(record: Writable<StreamRecord>, timeOf: (row: unknown) => number): boolean {
    try {
      record.timestampMs = timeOf(record.value)
      return true
    } catch (error) {
      this.#task?.failed(`time of ${this.#stage.input.source.name}`, record, error)
      return false
    }
  }

  async #commit(ended: boolean): Promise<void> {
    const writer = this.#writer
    invariant(writer !== undefined, 'an ingest stage committed before it was opened')
    await this.#chain?.drain()
    for (const output of this.#outputs.values()) output.seal()
    await this.#committing
    const state = this.#state ?? (ended ? await this.#stateAtEnd() : undefined)
    if (state === undefined) return
    const sources = sourcesTopic(this.#context.plan.pipeline)
    const text = JSON.stringify({ ...state, ended } satisfies SourceState)
    writer.append(sources, 0, this.#stage.id, text, this.#context.clock.nowMs())
    const rows = this.#epoch.records
    this.#state = undefined
    this.#epoch.restart()
    const committed = writer.commit([])
    // Nobody else hears of it before the source gives more.
    committed.catch((error: unknown) => this.#context.control.fail(error))
    this.#committing = committed.then(() => {
      this.#committing = undefined
      this.counters.rows += rows
      this.#countRowsLeft()
      this.#commits++
      if (this.#commits % FORGET_EVERY_COMMITS !== 0) return
      const { log, plan } = this.#context
      this.#upkeep.add(() => forgetOldPositions(log, plan.pipeline))
    })
    this.#committing.catch(() => {})
  }

  /** The position of the last batch, when the end came without another one. */
  async #stateAtEnd(): Promise<SourceState | undefined> {
    const { log, plan } = this.#context
    await this.#committing
    return (await readSourcePositions(log, plan.pipeline)).get(this.#stage.id)
  }

  #countRowsLeft(): void {
    const total = this.#reader?.total.rows
    if (total !== undefined) this.counters.rowsLeft = Math.max(0, total - this.#rowsRead)
  }
}

function orPassOver({ code, message, facts }: MillraceError): RejectedError {
  const advice = 'Or pass over such records: --on-error dead-letter keeps them, skip counts them.'
  return new RejectedError(code, `${message} ${advice}`, { facts })
}
