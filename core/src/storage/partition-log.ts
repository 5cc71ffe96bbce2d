import type { BatchHeader } from '../batch/header.ts'
import { ClosedError, CorruptDataError, RejectedError } from '../errors.ts'
import type { DamagedPartition } from '../log.ts'
import type { TransactionPartition } from '../transactions/journal-state.ts'
import { OpenTransactions } from '../transactions/open-transactions.ts'
import { ProducerState } from '../transactions/producer-state.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { Segment } from './segment.ts'

/**
 * A partition as it lies on the disk: its segments in order, and all that can be told from the batches
 * in them. Writers and read-only readers share it; it changes no file.
 */
export class PartitionLog implements TransactionPartition {
  readonly topicId: string
  readonly topic: string
  readonly partition: number
  readonly directory: string
  readonly segments: Segment[] = []
  readonly producers: ProducerState = new ProducerState()
  readonly transactions: OpenTransactions = new OpenTransactions()
  epochs: LeaderEpochs = new LeaderEpochs()
  /** First offset that can be read; later than the first in the files after a trim. */
  startOffset = 0
  /** First offset that readers may not see yet. */
  visibleOffset = 0
  /** Set when recovery found bytes that cannot be right; the log ends before them and is read-only. */
  damage: DamagedPartition | undefined

  constructor(place: TransactionPartition, directory: string) {
    this.topicId = place.topicId
    this.topic = place.topic
    this.partition = place.partition
    this.directory = directory
  }

  /** Offset of the next record. */
  get endOffset(): number {
    return this.segments.at(-1)?.endOffset ?? this.startOffset
  }

  /** First offset that is not decided, for `read_committed`. */
  get lastStableOffset(): number {
    return Math.min(this.visibleOffset, this.transactions.firstUndecidedOffset)
  }

  get sizeBytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  /** The segment that holds `offset`, or the first behind a gap; `undefined` at the end. */
  segmentAt(offset: number): Segment | undefined {
    // Readers are mostly near the end.
    let index = this.segments.length - 1
    while (index > 0 && (this.segments[index]?.baseOffset ?? 0) > offset) index--
    const segment = this.segments[index]
    return segment !== undefined && offset >= segment.endOffset ? this.segments[index + 1] : segment
  }

  /**
   * Takes note of a batch at the end of `segment` for readers. `outcome` is a marker's, where the
   * decision is not known already.
   */
  add(
    segment: Segment,
    baseOffset: number,
    header: BatchHeader,
    outcome?: 'commit' | 'abort',
  ): void {
    segment.add(baseOffset, header)
    const { producerId, producerEpoch } = header
    if (outcome !== undefined) {
      this.transactions.decide(producerId, producerEpoch, outcome, baseOffset)
    }
    if (header.isTransactional && !header.isControl) {
      this.transactions.add(producerId, producerEpoch, baseOffset)
    }
  }

  /** The error for an offset that is not, or no longer, there. */
  outOfRange(offset: number): RejectedError {
    const { topic, partition, startOffset, endOffset } = this
    return new RejectedError(
      'OFFSET_OUT_OF_RANGE',
      `Offset ${offset} is not in partition ${partition} of topic ${topic}, which holds ${startOffset} to ${endOffset}. ` +
        `The records were deleted by retention or trimming, or never were; choose where to go on.`,
      { facts: { topic, partition, offset, startOffset, endOffset } },
    )
  }

  /** The error for whoever still wants to write when nothing more is taken. */
  closedError(): ClosedError {
    const { topic, partition } = this
    return new ClosedError(
      'CLOSED',
      `Partition ${partition} of topic ${topic} takes no more records: the log was closed or the topic deleted.`,
      { facts: { topic, partition } },
    )
  }

  /** The error for whoever wants to read or write behind the damage that recovery found. */
  damageError(damage: DamagedPartition): CorruptDataError {
    return new CorruptDataError(
      'CORRUPT_DATA',
      `Partition ${damage.partition} of topic ${damage.topic} ends at offset ${this.endOffset}: ${damage.file} is damaged at byte ` +
        `${damage.position} (${damage.reason}). What lies before can be read; restore the file or recreate the topic.`,
      { facts: { ...damage } },
    )
  }

  /** The error for a batch in `segment` that cannot be what was written. */
  corrupt(segment: Segment, position: number, fault: string): CorruptDataError {
    return new CorruptDataError(
      'CORRUPT_DATA',
      `${segment.path} is damaged at byte ${position} (partition ${this.partition} of topic ${this.topic}): ${fault}. ` +
        `Nothing was changed; run \`millrace log verify\` for the whole picture.`,
      {
        facts: {
          topic: this.topic,
          partition: this.partition,
          file: segment.path,
          position,
          fault,
        },
      },
    )
  }
}
