/** A named value attached to a record; names may repeat. */
export interface Header {
  readonly key: string
  readonly value: Uint8Array | null
}

/** A record about to be appended, as bytes. */
export interface NewRecord {
  readonly key: Uint8Array | null
  /** `null` is a tombstone in a compacted topic. */
  readonly value: Uint8Array | null
  /** Event time, milliseconds since 1970. */
  readonly timestampMs: number
  readonly headers?: readonly Header[]
}

/** One partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/**
 * A place in a partition: the next record to read, and the leader epoch of the record before it
 * (−1 when there is none). A position whose epoch the log has since replaced is refused rather than
 * guessed at (KIP-320).
 */
export interface Position {
  readonly offset: number
  readonly leaderEpoch: number
}
