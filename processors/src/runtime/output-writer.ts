import type { Encoded } from '@millrace/core'
import type { NamedKey, StreamRecord } from '../operators/record.ts'
import type { StageOutput } from '../plan.ts'
import type { Topic } from '../topic.ts'
import { KeyWriter, type WrittenKey } from './key-writer.ts'
import type { TransactionalWriter } from './transactional-writer.ts'

/** Takes a record that cannot be written; throws, or has it passed over. */
type Refuse = (output: string, record: StreamRecord, error: unknown) => void

interface Kept {
  readonly partition: number
  readonly key: Encoded
  readonly record: StreamRecord
}

// Records without a key stay on one partition for this many, which makes large batches.
const STICKY_RECORDS = 1024

/** Writes the records that reach one output of a stage into the stage's open epoch. */
export class OutputWriter {
  readonly #output: StageOutput
  readonly #topic: Topic
  readonly #writer: TransactionalWriter
  readonly #refuse: Refuse
  readonly #partitions: number
  readonly #keys: KeyWriter
  /** Of an output that keeps the last record per key: this epoch's, by encoded key. */
  readonly #last = new Map<string, Kept>()
  #keyless = 0

  constructor(output: StageOutput, writer: TransactionalWriter, refuse: Refuse) {
    this.#output = output
    this.#topic = output.topic
    this.#writer = writer
    this.#refuse = refuse
    this.#partitions = writer.partitionsOf(output.topic.name)
    this.#keys = new KeyWriter(output.topic, goesByHash(output) ? this.#partitions : 0)
  }

  write(record: StreamRecord, task: number): void {
    try {
      const written = this.#keys.write(record.value, record.key as NamedKey | null)
      const partition = this.#partitionOf(written, record, task)
      const key = written.encoded
      if (this.#output.lastPerKey && key !== null) {
        const identity = typeof key === 'string' ? key : Buffer.from(key).toString('latin1')
        // In the order of last changes: of two keys that are one row of the sink, the later one stays.
        this.#last.delete(identity)
        this.#last.set(identity, { partition, key, record })
      } else this.#append(partition, key, record)
    } catch (error) {
      this.#refuse(this.#output.id, record, error)
    }
  }

  /** Writes what was kept back until the end of the epoch. */
  seal(): void {
    for (const { partition, key, record } of this.#last.values()) {
      try {
        this.#append(partition, key, record)
      } catch (error) {
        this.#refuse(this.#output.id, record, error)
      }
    }
    this.#last.clear()
  }

  #append(partition: number, key: Encoded, { value, timestampMs, headers }: StreamRecord): void {
    const { name, timeOf, value: serde } = this.#topic
    const encoded = value === null ? null : serde.encode(value)
    const timeMs = timeOf === undefined || value === null ? timestampMs : timeOf(value)
    this.#writer.append(name, partition, key, encoded, timeMs, headers)
  }

  #partitionOf(
    { named, encoded, partition }: WrittenKey,
    record: StreamRecord,
    task: number,
  ): number {
    if (this.#output.partition === 'task') return task
    const { partitionBy } = this.#topic
    if (partitionBy !== undefined) return partitionBy(named, record.value, this.#partitions)
    if (encoded !== null) return partition
    return Math.floor(this.#keyless++ / STICKY_RECORDS) % this.#partitions
  }
}

function goesByHash({ partition, topic }: StageOutput): boolean {
  return partition !== 'task' && topic.partitionBy === undefined
}
