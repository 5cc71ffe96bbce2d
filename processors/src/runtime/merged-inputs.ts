import type { StreamRecord } from '../operators/record.ts'
import type { Epoch } from './epoch.ts'
import type { PartitionInput } from './partition-input.ts'

/** Takes what a task does with a record, and with one whose bytes cannot be read. */
export interface RecordReceiver {
  receive(input: PartitionInput, record: StreamRecord): void
  poison(input: PartitionInput, error: unknown): void
}

interface Head {
  readonly input: PartitionInput
  record: StreamRecord | undefined
}

/**
 * The inputs of one task as one sequence, by (time, topic, partition, offset) among what is there:
 * the order depends on the records alone, never on which of them arrived first.
 */
export class MergedInputs {
  readonly inputs: readonly PartitionInput[]
  readonly #heads: readonly Head[]

  constructor(inputs: readonly PartitionInput[]) {
    this.inputs = inputs
    this.#heads = inputs
      .toSorted((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0))
      .map((input) => ({ input, record: undefined }))
  }

  /** There is something to take. */
  get isReady(): boolean {
    return this.#heads.some(({ input, record }) => record !== undefined || input.isReady)
  }

  /** Takes records into the epoch as long as it takes more, or until the next one has to be fetched first. */
  take(epoch: Epoch, receiver: RecordReceiver): void {
    const [only] = this.inputs
    if (only !== undefined && this.inputs.length === 1) takeAll(only, epoch, receiver)
    else this.#takeMerged(epoch, receiver)
  }

  #takeMerged(epoch: Epoch, receiver: RecordReceiver): void {
    while (epoch.takesMore) {
      const first = this.#first(receiver)
      if (first?.record === undefined) return
      const { input, record } = first
      first.record = undefined
      epoch.add(input.recordBytes)
      receiver.receive(input, record)
      input.take()
    }
  }

  /** The input with the earliest record; undefined when there is none, or when an input must be fetched. */
  #first(receiver: RecordReceiver): Head | undefined {
    let first: Head | undefined
    for (const head of this.#heads) {
      if (head.record === undefined && !readHead(head, receiver) && head.input.hasMore) return
      if (head.record === undefined) continue
      if (first?.record === undefined || head.record.timestampMs < first.record.timestampMs)
        first = head
    }
    return first
  }
}

function takeAll(input: PartitionInput, epoch: Epoch, receiver: RecordReceiver): void {
  while (epoch.takesMore && input.step()) {
    const record = read(input, receiver)
    epoch.add(input.recordBytes)
    if (record !== undefined) receiver.receive(input, record)
    input.take()
  }
}

function readHead(head: Head, receiver: RecordReceiver): boolean {
  while (head.input.step()) {
    head.record = read(head.input, receiver)
    if (head.record !== undefined) return true
    head.input.take()
  }
  return false
}

function read(input: PartitionInput, receiver: RecordReceiver): StreamRecord | undefined {
  try {
    return input.record()
  } catch (error) {
    receiver.poison(input, error)
    return undefined
  }
}
