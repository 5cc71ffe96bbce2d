import type { Position, TopicPartition } from './record.ts'

/**
 * A durable, partitioned log: the one interface that pipelines, connectors and the command line
 * know. Only plain data and batches of bytes cross it (no callbacks, no synchronous getters), so that
 * it may live in another thread or on another machine. Producers and consumers are built on top of it.
 */
export interface Log {
  describe(): Promise<LogDescription>

  /** @throws UsageError TOPIC_EXISTS, TOPIC_NAME_INVALID (also names that differ by case alone). */
  createTopic(topic: NewTopic): Promise<TopicDescription>
  /** @throws UsageError TOPIC_NOT_FOUND. */
  describeTopic(name: string): Promise<TopicDescription>
  /** All topics by name; internal ones (`__…` and those marked internal) included. */
  listTopics(): Promise<TopicDescription[]>
  /** Changes the named settings and keeps the others. */
  alterTopic(name: string, config: Partial<TopicConfig>): Promise<TopicDescription>
  /** Grows a topic to `partitions` in all; existing records stay where they are. */
  addPartitions(name: string, partitions: number): Promise<TopicDescription>
  /** The topic's records are gone for readers at once; its files go in the background. */
  deleteTopic(name: string): Promise<void>

  /**
   * Appends one record batch; resolves when it has reached its topic's durability or, inside a
   * transaction, when it is written: the commit makes it durable.
   */
  append(request: AppendRequest): Promise<AppendResult>
  /**
   * Reads whole batches. Waits up to `maxWaitMs` until at least `minBytes` can be had; answers at once
   * when any partition has an error.
   */
  fetch(request: FetchRequest): Promise<FetchResult>
  /** The offset at an end of a partition, or of the first record at or after a time. */
  findOffset(request: FindOffsetRequest): Promise<Position>
  /** Gives up the records below `offset` (Kafka's DeleteRecords); resolves with the new start. */
  trim(target: TopicPartition, offset: number): Promise<number>

  /**
   * Gives a producer its identity. With a transactional id, the same name gets the same producer id
   * with the next epoch: older holders are fenced and their open transaction is aborted first.
   */
  initProducer(request: { readonly transactionalId?: string }): Promise<ProducerIdentity>
  /**
   * Ends the producer's open transaction. Committing makes everything appended in it, and all the
   * positions given, visible at once or not at all.
   *
   * @throws FencedError PRODUCER_FENCED: nothing of this transaction will ever be visible.
   */
  endTransaction(request: EndTransactionRequest): Promise<ProducerIdentity>

  /** Stores a group's positions outside a transaction, after syncing what they point past. */
  commitPositions(request: CommitPositionsRequest): Promise<void>
  /** A group's stored positions; partitions without one are left out. */
  readPositions(group: string): Promise<StoredPosition[]>

  /** Classic group protocol, step 1: enters or re-enters a group; resolves when the round closes. */
  joinGroup(request: JoinGroupRequest): Promise<JoinGroupResult>
  /** Step 2: the leader brings the assignment; everyone gets their own. */
  syncGroup(request: SyncGroupRequest): Promise<Uint8Array>
  /** Keeps membership alive. @throws FencedError GENERATION_FENCED; UnavailableError while rebalancing. */
  heartbeat(member: GroupMember): Promise<void>
  leaveGroup(member: GroupMember): Promise<void>
  listGroups(): Promise<GroupDescription[]>
  describeGroup(group: string): Promise<GroupDescription>

  /**
   * Lets writes in flight finish, syncs, and frees the data directory. Idempotent.
   *
   * @throws FailedError LOG_FAILED: the disk failed, now or before; the data directory is freed all the same.
   */
  close(): Promise<void>
}

/** What a log is, and the state it was opened in. */
export interface LogDescription {
  /** UUID of the data directory (or the Kafka cluster id). */
  readonly logId: string
  /**
   * The latest openings for writing, the present one last, each as `<leader epoch>.<random>`. A copy of
   * the data directory has others from its first opening on, and is told by them. Absent where nothing
   * can be copied.
   */
  readonly openings?: readonly string[]
  readonly url: string
  readonly access: 'read-write' | 'read-only'
  /** Partitions that recovery opened read-only because bytes in their middle are damaged. */
  readonly damaged: readonly DamagedPartition[]
}

/** A partition that is only read, because bytes behind `position` of `file` are not what was written. */
export interface DamagedPartition extends TopicPartition {
  readonly file: string
  readonly position: number
  readonly reason: string
}

/** `memory`: lost with the process. `os`: survives kill −9. `fsync`: survives power loss. */
export type Durability = 'memory' | 'os' | 'fsync'

/**
 * The settings of a topic. A new one has: `fsync`, kept for ever, segments of 256 MiB or 7 days, `delete`,
 * no compression, batches up to 1 MiB.
 */
export interface TopicConfig {
  readonly durability: Durability
  /** Records may go this long after their **append** (not their own time); −1: never. */
  readonly retentionMs: number
  /** Oldest segments go while a partition is larger than this; −1: unlimited. */
  readonly retentionBytes: number
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly cleanup: 'delete' | 'compact' | 'compact,delete'
  /** What producers use unless they say otherwise. */
  readonly compression: Compression
  /** Largest batch accepted, in bytes; at most 64 MiB, which is what readers decompress. */
  readonly maxMessageBytes: number
}

/** How the records of a batch are compressed, all together. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** A topic to make. */
export interface NewTopic {
  readonly name: string
  /** Default 1. */
  readonly partitions?: number
  readonly config?: Partial<TopicConfig>
  /** Made by a pipeline for itself: hidden from listings unless asked for. */
  readonly internal?: boolean
}

/** A topic as it is now. */
export interface TopicDescription {
  /** UUID; the topic's identity. The name is only a label. */
  readonly topicId: string
  readonly name: string
  readonly internal: boolean
  readonly config: TopicConfig
  readonly partitions: readonly PartitionDescription[]
}

/** Where a partition begins and ends, when it was asked. */
export interface PartitionDescription {
  readonly partition: number
  readonly startOffset: number
  /** First offset not yet visible to `read_uncommitted` readers. */
  readonly highWatermark: number
  /** First offset not yet decided, for `read_committed` readers. */
  readonly lastStableOffset: number
  readonly sizeBytes: number
}

/** Who sends: an id for life, and an epoch by which a newer holder of it fences the older. */
export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

/**
 * A batch in Kafka's record batch v2 format. Base offset and leader epoch in it are ignored and set
 * by the log; producer id, epoch and sequence in it make retries safe (−1 for none).
 * The log owns the bytes from the call on, and keeps none of them once it has answered.
 */
export interface AppendRequest extends TopicPartition {
  readonly batch: Uint8Array
  /** The batch was made in this process and has no CRC yet: the log takes it instead of checking it. */
  readonly needsCrc?: boolean
}

/** Where a batch came to lie. */
export interface AppendResult {
  /** Offset of the batch's first record. */
  readonly baseOffset: number
  readonly leaderEpoch: number
  /** The batch was a retry of one already in the log; nothing was written again. */
  readonly duplicate: boolean
}

/** What to read, and how long to wait for it. */
export interface FetchRequest {
  readonly isolation: 'read_uncommitted' | 'read_committed'
  readonly maxWaitMs: number
  /** Default 1. */
  readonly minBytes?: number
  /** Whole answer; the first batch comes even when it is larger. */
  readonly maxBytes: number
  readonly partitions: readonly FetchPartition[]
}

/** A partition to read from a position on. */
export interface FetchPartition extends TopicPartition {
  /** The topic's id when the position was made; another id is refused, never guessed at. */
  readonly topicId?: string
  readonly position: Position
  readonly maxBytes: number
}

/** An answer for each partition, in the order asked for. */
export interface FetchResult {
  readonly partitions: readonly FetchedPartition[]
}

/** What a fetch found in one partition, or why it found nothing. */
export interface FetchedPartition extends TopicPartition {
  /**
   * Whole record batches, as they lie on the disk. The first may start before the offset asked for;
   * aborted batches are left out under `read_committed`, markers stay. CRCs are already checked.
   */
  readonly batches: Uint8Array
  /** Where the next fetch goes on; past gaps, markers and aborted batches. */
  readonly nextOffset: number
  /** Leader epoch of the record before `nextOffset`, for the position to go on from (−1: none). */
  readonly nextLeaderEpoch: number
  readonly startOffset: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  /** Why this partition gave nothing: OFFSET_OUT_OF_RANGE, POSITION_DIVERGED, CORRUPT_DATA, TOPIC_NOT_FOUND. */
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly facts?: Record<string, unknown>
  }
}

/** An end of a partition, or a moment in it. */
export interface FindOffsetRequest extends TopicPartition {
  readonly at: 'earliest' | 'latest' | { readonly timestampMs: number }
  readonly isolation?: 'read_uncommitted' | 'read_committed'
}

/** How a producer ends its transaction. */
export interface EndTransactionRequest extends ProducerIdentity {
  readonly outcome: 'commit' | 'abort'
  /** Only with `commit`: the input this transaction has consumed. */
  readonly positions?: readonly GroupPositions[]
}

/** How far a group has read in some partitions. */
export interface GroupPositions {
  readonly group: string
  /** Fences stale members when given. */
  readonly member?: GroupMember
  readonly positions: readonly StoredPosition[]
}

/** Where a group goes on in a partition. */
export interface StoredPosition extends TopicPartition {
  readonly topicId: string
  readonly position: Position
  /** Free text for the committer, at most 4 KiB. */
  readonly metadata?: string
}

/** Positions to store by themselves, outside a transaction. */
export interface CommitPositionsRequest extends GroupPositions {}

/** Who somebody is in a group, until the next rebalance. */
export interface GroupMember {
  readonly group: string
  readonly memberId: string
  readonly generation: number
}

/** A member's wish to read with a group, as in Kafka's protocol; timeouts in milliseconds. */
export interface JoinGroupRequest {
  readonly group: string
  /** Empty the first time; the answer names one. */
  readonly memberId: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly { readonly name: string; readonly metadata: Uint8Array }[]
}

/** The round that a member came into, and who leads it. */
export interface JoinGroupResult extends GroupMember {
  readonly leaderId: string
  readonly protocol: string
  /** Filled for the leader only. */
  readonly members: readonly { readonly memberId: string; readonly metadata: Uint8Array }[]
}

/** The second half of a round: the leader says who reads what. */
export interface SyncGroupRequest extends GroupMember {
  /** From the leader; empty from the others. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]
}

/** A group as it is now; its state by the names that Kafka has. */
export interface GroupDescription {
  readonly group: string
  readonly state: 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'
  readonly protocol: string
  readonly members: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]
  readonly positions: readonly StoredPosition[]
}
