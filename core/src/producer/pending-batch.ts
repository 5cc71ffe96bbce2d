import { BatchWriter, recycle } from '../batch/batch-writer.ts'
import type { TopicPartition } from '../record.ts'

/** Records of one partition that travel, and succeed or fail, together. */
export class PendingBatch {
  readonly topic: string
  readonly partition: number
  /** Place in its queue's order. */
  readonly ordinal: number
  readonly writer: BatchWriter
  /** Monotonic. */
  createdMs = 0
  recordCount = 0
  /** What it holds of the producer's byte budget. */
  heldBytes = 0
  baseSequence = -1
  /** Sealed form, kept for retries. */
  bytes: Uint8Array | undefined
  /** Whether an append of it has failed: the log may be at work on its bytes still. */
  hasComeBack = false
  /** Offset of the first record, once acknowledged. */
  baseOffset = -1

  #isSettled = false
  #error: unknown
  #settlement: PromiseWithResolvers<void> | undefined

  constructor(target: TopicPartition, ordinal: number, capacityBytes: number) {
    this.topic = target.topic
    this.partition = target.partition
    this.ordinal = ordinal
    this.writer = new BatchWriter(capacityBytes)
  }

  /** Whether somebody waits for the outcome, and so will see a failure. */
  get isObserved(): boolean {
    return this.#settlement !== undefined
  }

  /** Resolves when the log has acknowledged the batch: one promise, made when first asked for. */
  settled(): Promise<void> {
    if (this.#settlement === undefined) {
      this.#settlement = Promise.withResolvers<void>()
      if (this.#isSettled) this.#settle(this.#settlement)
    }
    return this.#settlement.promise
  }

  acknowledge(baseOffset: number): void {
    this.baseOffset = baseOffset
    if (this.bytes !== undefined && !this.hasComeBack) recycle(this.bytes)
    this.#finish()
  }

  fail(error: unknown): void {
    this.#error = error
    this.#finish()
  }

  #finish(): void {
    this.#isSettled = true
    this.bytes = undefined
    if (this.#settlement !== undefined) this.#settle(this.#settlement)
  }

  #settle(settlement: PromiseWithResolvers<void>): void {
    if (this.#error === undefined) settlement.resolve()
    else settlement.reject(this.#error)
  }
}
