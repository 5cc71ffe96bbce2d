import { UsageError } from '../errors.ts'
import { SESSION_TIMEOUT_MS_MIN } from '../groups/group-coordinator.ts'
import type { Clock } from '../io/index.ts'
import type { FetchRequest, Log } from '../log.ts'
import {
  anyClock,
  anyLog,
  anySerde,
  bytes,
  type Check,
  checkArgument,
  checkOptions,
  type Checks,
  count,
  either,
  expecting,
  having,
  listOf,
  milliseconds,
  oneOf,
  required,
  text,
} from '../options/index.ts'
import type { TopicPartition } from '../record.ts'
import type { Serde } from '../serdes/serde.ts'

/** How a `Consumer` reads. */
export interface ConsumerOptions<K, V> {
  /** Whose positions are read and committed; with `topics` also who shares the partitions. */
  readonly group?: string
  /** With a group: divided among its members. Without: all their partitions. */
  readonly topics?: readonly string[]
  /** Exactly these partitions, instead of `topics`. */
  readonly assignment?: readonly TopicPartition[]
  /** Where to start in a partition that the group has no position for. Default `earliest`. */
  readonly start?: 'earliest' | 'latest' | 'error'
  /** Default `read_committed`. */
  readonly isolation?: FetchRequest['isolation']
  /** Default: bytes. */
  readonly key?: Serde<K>
  /** Default: bytes. */
  readonly value?: Serde<V>
  /** Size of a delivered batch, unless a single record batch is larger. Default 1 MiB. */
  readonly batchBytes?: number
  /** Bytes read ahead over all partitions; each may exceed it by a batch. Default 16 MiB. */
  readonly prefetchBytes?: number
  /** Silence after which the group goes on without this member, in milliseconds. Default 10,000. */
  readonly sessionTimeoutMs?: number
  /** How long a rebalance waits for the batch in hand, in milliseconds. Default 300,000. */
  readonly rebalanceTimeoutMs?: number
  /** Default: a third of `sessionTimeoutMs`, and 1,000 milliseconds at most. */
  readonly heartbeatMs?: number
  readonly clock?: Clock
}

export const SESSION_TIMEOUT_MS = 10_000
const HEARTBEAT_MS_MAX = 1000

const partition = having<TopicPartition>({ topic: required(text), partition: required(count(0)) })

const CHECKS: Checks<ConsumerOptions<never, never>> = {
  group: text,
  topics: listOf(text, 1),
  assignment: listOf(partition, 1),
  start: oneOf('earliest', 'latest', 'error'),
  isolation: oneOf('read_committed', 'read_uncommitted'),
  key: anySerde,
  value: anySerde,
  batchBytes: bytes(),
  prefetchBytes: bytes(),
  sessionTimeoutMs: milliseconds(SESSION_TIMEOUT_MS_MIN),
  rebalanceTimeoutMs: milliseconds(1),
  heartbeatMs: milliseconds(1),
  clock: anyClock,
}

const anyOffset = count(0)
const end = oneOf('earliest', 'latest')
const timestampMs = required(milliseconds(0, Number.MAX_SAFE_INTEGER))
const moment = having<{ readonly timestampMs: number }>({ timestampMs })

/** @throws UsageError for what is no place in a partition. */
export function checkSeek(to: unknown): void {
  checkArgument('seek', 'to', to, required(either(anyOffset, end, moment)))
}

/** @throws UsageError for what a consumer can't work with. */
export function checkConsumer<K, V>(log: Log, options: ConsumerOptions<K, V> = {}): void {
  checkArgument('new Consumer', 'its log', log, required(anyLog))
  checkOptions('new Consumer', options, CHECKS)
  if ((options.topics === undefined) === (options.assignment === undefined)) {
    throw new UsageError('USAGE', 'A consumer reads either `topics` or an `assignment`: give one.')
  }
  const { sessionTimeoutMs = SESSION_TIMEOUT_MS } = options
  checkArgument('new Consumer', 'heartbeatMs', heartbeatMsOf(options), below(sessionTimeoutMs))
}

/** As the options say, or so that two may be lost. */
export function heartbeatMsOf({
  sessionTimeoutMs = SESSION_TIMEOUT_MS,
  heartbeatMs = Math.min(HEARTBEAT_MS_MAX, Math.floor(sessionTimeoutMs / 3)),
}: Pick<ConsumerOptions<unknown, unknown>, 'sessionTimeoutMs' | 'heartbeatMs'>): number {
  return heartbeatMs
}

/** A member whose heartbeats come later than the group's patience lasts is expelled again and again. */
function below(sessionTimeoutMs: number): Check {
  return expecting(
    `less than its sessionTimeoutMs of ${sessionTimeoutMs}`,
    (value) => Number(value) < sessionTimeoutMs,
  )
}
