import { COMPRESSIONS } from '../batch/header.ts'
import type { Clock } from '../io/index.ts'
import type { Compression, Log } from '../log.ts'
import {
  anyClock,
  anyLog,
  anySerde,
  bytes,
  callback,
  checkArgument,
  checkOptions,
  type Checks,
  count,
  expecting,
  listOf,
  milliseconds,
  oneOf,
  patienceMs,
  required,
  text,
} from '../options/index.ts'
import type { Serde } from '../serdes/serde.ts'
import type { PartitionBy } from './partitioner.ts'

/** How a `Producer` works. */
export interface ProducerOptions<K, V> {
  /** Default: keys are bytes or text already. */
  readonly key?: Serde<K>
  /** Default: values are bytes or text already. */
  readonly value?: Serde<V>
  readonly partitionBy?: PartitionBy<K, V>
  /** Makes the producer transactional; a later producer with the same id fences this one. */
  readonly transactionalId?: string
  /** How long a batch waits for company, in milliseconds. Default 0: until the current turn of the event loop has sent all it has. */
  readonly lingerMs?: number
  /** A batch is sent when it has reached this size, before compression. Default 1 MiB. */
  readonly batchBytes?: number
  /** Unacknowledged bytes at which sends begin to wait. Default 8 MiB. */
  readonly bufferBytes?: number
  /** Batches under way for one partition, 1 to 5; their order holds. Default 5. */
  readonly maxInFlight?: number
  /** How long a batch is retried while the log is unavailable, in milliseconds. Default 120,000. */
  readonly deliveryTimeoutMs?: number
  /** Pause before a retry, in milliseconds. Default 50. */
  readonly retryBackoffMs?: number
  /** Default: the topic's. */
  readonly compression?: Compression
  readonly clock?: Clock
}

/** The log remembers this many batches of a producer to recognise retries by (as Kafka does). */
export const IN_FLIGHT_MAX = 5

const CHECKS: Checks<ProducerOptions<never, never>> = {
  key: anySerde,
  value: anySerde,
  partitionBy: callback,
  transactionalId: text,
  lingerMs: milliseconds(),
  batchBytes: bytes(),
  bufferBytes: bytes(),
  maxInFlight: count(1, IN_FLIGHT_MAX),
  deliveryTimeoutMs: patienceMs(),
  retryBackoffMs: milliseconds(),
  compression: oneOf(...COMPRESSIONS),
  clock: anyClock,
}

const groupPositions = expecting(
  "a group's positions, such as consumer.positions(batch)",
  (value) => Array.isArray((value as { positions?: unknown } | null | undefined)?.positions),
)

/** @throws UsageError for what is no list of groups' positions. */
export function checkPositions(positions: unknown): void {
  checkArgument('commitTransaction', 'positions', positions, listOf(groupPositions))
}

/** @throws UsageError for what a producer can't work with. */
export function checkProducer<K, V>(log: Log, options: ProducerOptions<K, V>): void {
  checkArgument('new Producer', 'its log', log, required(anyLog))
  checkOptions('new Producer', options, CHECKS)
}
