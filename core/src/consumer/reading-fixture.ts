/** For tests: a real log with a topic "t" of two partitions. */
import { nodeClock, sleep } from '../io/index.ts'
import type { Log } from '../log.ts'
import { open } from '../open.ts'
import { Producer } from '../producer/index.ts'
import { string } from '../serdes/index.ts'
import { Consumer } from './consumer.ts'
import type { ConsumerBatch } from './consumer-batch.ts'
import type { ConsumerOptions } from './consumer-options.ts'

export type TextConsumer = Consumer<string, string>
export type TextBatch = ConsumerBatch<string, string>

/** Every record batch is delivered by itself. */
export const SMALL = { batchBytes: 1 }
export const FIRST = { topic: 't', partition: 0 }

/** A log and those who read from it. */
export class Reading {
  #directory = ''
  #log: Log | undefined
  #consumers: TextConsumer[] = []

  async open(directory: string): Promise<void> {
    this.#directory = directory
    this.#log = await open(directory)
    await this.log.createTopic({ name: 't', partitions: 2, config: { durability: 'os' } })
  }

  /** Gives the directory, for whoever made it to remove. */
  async close(): Promise<string> {
    for (const consumer of this.#consumers) await consumer.close()
    this.#consumers = []
    await this.log.close()
    return this.#directory
  }

  get log(): Log {
    if (this.#log === undefined) throw new Error('open it first')
    return this.#log
  }

  async reopen(): Promise<void> {
    await this.log.close()
    this.#log = await open(this.#directory)
  }

  consume(options: Partial<ConsumerOptions<string, string>>, from: Log = this.log): TextConsumer {
    const source = options.assignment === undefined ? { topics: ['t'] } : {}
    // A slow machine may not come to its heartbeats for seconds.
    const timing = { heartbeatMs: 20, sessionTimeoutMs: 30_000 }
    const serdes = { key: string, value: string }
    const consumer = new Consumer(from, { ...source, ...timing, ...serdes, ...options })
    this.#consumers.push(consumer)
    return consumer
  }

  /** Each value goes into a batch of its own; the digits in it are its time. */
  async write(partition: number, ...values: string[]): Promise<void> {
    const producer = new Producer(this.log)
    for (const value of values) {
      const timestampMs = Number(value.match(/\d+/))
      await producer.send({ topic: 't', partition, value, timestampMs })
    }
    await producer.close()
  }
}

export async function take(consumer: TextConsumer): Promise<TextBatch> {
  for await (const batch of consumer) return batch
  throw new Error('the consumer ended')
}

export async function takeValues(consumer: TextConsumer, count: number): Promise<string[]> {
  const values: string[] = []
  for await (const batch of consumer) {
    values.push(...valuesOf(batch))
    if (values.length >= count) break
  }
  return values
}

export function valuesOf(batch: TextBatch): string[] {
  return [...batch.records()].map(({ value }) => value ?? 'null')
}

/** Reads until the consumer is closed, so that it takes part in rebalances. */
export async function drain(
  consumer: TextConsumer,
  onBatch: (batch: TextBatch) => unknown = () => undefined,
): Promise<void> {
  for await (const batch of consumer) await onBatch(batch)
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(nodeClock, 5)
}
