import { CorruptDataError } from '../errors.ts'
import type { Clock } from '../io/index.ts'
import type { TopicConfig } from '../log.ts'
import type { TopicPartition } from '../record.ts'
import { damagedFile, readSmallFile, replaceFile } from './checkpoint.ts'
import type { Disk } from './disk.ts'
import type { LogClock } from './log-clock.ts'
import type { PartitionLog } from './partition-log.ts'
import { Partition } from './partition.ts'
import type { PartitionOptions } from './partition.ts'
import { recoverPartition } from './recovery.ts'
import { segmentFileName } from './segment.ts'
import { WATERMARK_FILE, WatermarkFile } from './watermark.ts'
import type { Watermark } from './watermark.ts'

/** Name of Kafka's file that says which topic a partition belongs to. */
export const PARTITION_METADATA_FILE = 'partition.metadata'

/** What a partition's directory is opened with. */
export interface PartitionDirectory extends TopicPartition {
  readonly disk: Disk
  readonly clock: Clock
  readonly time: LogClock
  /** UUID in its usual text form. */
  readonly topicId: string
  readonly config: TopicConfig
  readonly leaderEpoch: number
  /** The log was closed in order when it was last open. */
  readonly isClosedInOrder: boolean
  /** Asked about every batch from outside before it is queued; throws to refuse it. */
  readonly admit?: PartitionOptions['admit']
}

/** `flights-0`: the directory of a partition below the data directory. */
export function partitionPath(root: string, place: TopicPartition): string {
  return `${root}/${place.topic}-${place.partition}`
}

/**
 * Makes the files of an empty partition; the caller makes the directory's own entry durable. What a
 * crash left of an earlier attempt is made anew.
 *
 * @throws CorruptDataError when there are records already, though nobody registered them.
 */
export async function createPartitionFiles(
  disk: Disk,
  place: TopicPartition,
  topicId: string,
): Promise<void> {
  const directory = partitionPath(disk.directory, place)
  if ((await disk.fileSystem.stat(directory)) !== undefined) await removeLeftover(disk, directory)
  await disk.attempt(`create ${directory}`, async () => {
    await disk.fileSystem.makeDirectory(directory)
    const file = await disk.fileSystem.open(`${directory}/${segmentFileName(0, '.log')}`, 'create')
    await file.close()
  })
  const metadata = Buffer.from(metadataText(topicId))
  await replaceFile(disk, `${directory}/${PARTITION_METADATA_FILE}`, metadata)
}

/** A failed sync may have left an entry that no later sync makes durable, so nothing of it is kept. */
async function removeLeftover(disk: Disk, directory: string): Promise<void> {
  const names = await disk.fileSystem.list(directory)
  for (const name of names) {
    const found = await disk.fileSystem.stat(`${directory}/${name}`)
    if (!name.endsWith('.log') || found?.sizeBytes === 0) continue
    throw new CorruptDataError(
      'CORRUPT_DATA',
      `${directory}/${name} holds records, but no topic is registered there. Nothing was changed; move the directory away.`,
      { facts: { file: `${directory}/${name}`, position: 0 } },
    )
  }
  await disk.attempt(`make ${directory} anew`, async () => {
    for (const name of names) await disk.fileSystem.remove(`${directory}/${name}`)
    await disk.fileSystem.removeDirectory(directory)
  })
}

/** Opens a partition for writing, after recovering it. */
export async function openPartition(request: PartitionDirectory): Promise<Partition> {
  const { disk, clock, time, config, leaderEpoch, isClosedInOrder, topic, partition } = request
  const directory = partitionPath(disk.directory, request)
  if (!(await belongsTo(disk, directory, request.topicId))) {
    const path = `${directory}/${PARTITION_METADATA_FILE}`
    throw damagedFile(path, `it does not name topic id ${encodeTopicId(request.topicId)}`)
  }
  const { file: watermark, last } = await WatermarkFile.open(
    disk,
    clock,
    `${directory}/${WATERMARK_FILE}`,
  )
  const { durability } = config
  const log = await recoverPartition({
    disk,
    topicId: request.topicId,
    topic,
    partition,
    directory,
    durability,
    watermark: last,
    isClosedInOrder,
    nowMs: time.nowMs(),
  })
  const { admit } = request
  return new Partition({
    disk,
    clock,
    time,
    log,
    watermark,
    config,
    leaderEpoch,
    isClosedInOrder,
    // A full disk may have kept the last one from being written, or a power loss have taken it.
    isWatermarkCurrent: log.damage !== undefined || isCurrent(last, log),
    admit,
  })
}

function isCurrent(watermark: Watermark | undefined, log: PartitionLog): boolean {
  const active = log.segments.at(-1)
  if (watermark === undefined) return log.sizeBytes === 0
  return (
    watermark.segment === active?.baseOffset &&
    watermark.position === active.sizeBytes &&
    watermark.visibleOffset === log.endOffset
  )
}

/** Whether the directory's own metadata says that it is of this topic. */
export async function belongsTo(disk: Disk, directory: string, topicId: string): Promise<boolean> {
  const path = `${directory}/${PARTITION_METADATA_FILE}`
  const metadata = await readSmallFile(disk.fileSystem, path)
  return metadata?.toString('latin1') === metadataText(topicId)
}

/** The content of a partition's `partition.metadata`. */
export function metadataText(topicId: string): string {
  return `version: 0\ntopic_id: ${encodeTopicId(topicId)}\n`
}

/** Kafka's text form of a UUID: its 16 bytes in base64url. */
function encodeTopicId(topicId: string): string {
  return Buffer.from(topicId.replaceAll('-', ''), 'hex').toString('base64url')
}
