import type { FileSystem } from '../io/index.ts'
import {
  damagedFile,
  decodeChecked,
  encodeChecked,
  readSmallFile,
  replaceFile,
} from './checkpoint.ts'
import type { Disk } from './disk.ts'
import type { PartitionLog } from './partition-log.ts'

/** Name of the file with what the batches of a partition cannot tell. */
export const PARTITION_CHECKPOINT_FILE = 'partition.checkpoint'

/** When a segment was appended to, by the clock of that time. */
export interface SegmentTimes {
  readonly baseOffset: number
  /** Where the segment ended then: with another end, more was appended after these times. */
  readonly endOffset: number
  readonly firstAppendMs: number
  readonly lastAppendMs: number
}

/** What the batches of a partition cannot tell. */
export interface PartitionCheckpoint {
  /** Records below were given up by a trim, even while their file is still there. */
  readonly startOffset: number
  /** Of sealed segments, and of the last one after an orderly close. */
  readonly segments: readonly SegmentTimes[]
}

/** Reads a partition's checkpoint; an empty one where none was written yet. @throws CorruptDataError. */
export async function readPartitionCheckpoint(
  fileSystem: FileSystem,
  directory: string,
): Promise<PartitionCheckpoint> {
  const path = `${directory}/${PARTITION_CHECKPOINT_FILE}`
  const bytes = await readSmallFile(fileSystem, path)
  if (bytes === undefined) return { startOffset: 0, segments: [] }
  const checkpoint = decodeChecked(bytes, path) as PartitionCheckpoint
  if (!Array.isArray(checkpoint.segments)) throw damagedFile(path, 'it lists no segments')
  return checkpoint
}

/**
 * Replaces a partition's checkpoint; resolves when it is durable.
 *
 * @param segments those whose times are known and final for now.
 */
export async function checkpointPartition(
  disk: Disk,
  log: PartitionLog,
  segments: readonly SegmentTimes[],
  startOffset = log.startOffset,
): Promise<void> {
  const times = segments.map(({ baseOffset, endOffset, firstAppendMs, lastAppendMs }) => ({
    baseOffset,
    endOffset,
    firstAppendMs,
    lastAppendMs,
  }))
  const path = `${log.directory}/${PARTITION_CHECKPOINT_FILE}`
  await replaceFile(disk, path, encodeChecked({ startOffset, segments: times }))
}
