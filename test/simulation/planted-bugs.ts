import type { Edit } from './plant.ts'

/** A fault put into the log's code, to show that the simulation finds it. */
export interface PlantedBug extends Edit {
  /** The failure mode of other systems that it stands for. */
  readonly name: string
  /** Where its lives begin, when it shows too rarely for the first ones. Default 1. */
  readonly firstSeed?: number
}

/** Each must be found by the simulation alone. */
export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'acknowledged before the sync',
    file: 'core/src/storage/segment-writer.ts',
    find: '    await this.#disk.sync(active.file)\n    this.syncedPosition = sizeBytes\n',
    replace: '    this.syncedPosition = sizeBytes\n',
  },
  {
    name: 'directory of a new segment not synced',
    file: 'core/src/storage/segment-files.ts',
    find: '    await disk.syncDirectory(directory)\n    return new Segment(',
    replace: '    return new Segment(',
  },
  {
    name: 'renamed without a sync of the file',
    file: 'core/src/storage/checkpoint.ts',
    find: '      await disk.sync(file)\n    } finally {',
    replace: '    } finally {',
  },
  {
    name: 'unsynced tail believed without looking',
    file: 'core/src/storage/recovery.ts',
    find: 'end = await scan(fileBytes, true)',
    replace: 'end = await scan(fileBytes, false)',
  },
  {
    name: 'corruption cut off as if it were a torn tail',
    file: 'core/src/storage/recovery.ts',
    find: 'if (!isLast || end.position < synced) return this.#damaged(',
    replace: 'if (!isLast) return this.#damaged(',
  },
  {
    name: 'recovery point advanced before the sync',
    file: 'core/src/storage/segment-writer.ts',
    find: '    await this.#disk.sync(active.file)\n    this.syncedPosition = sizeBytes\n',
    replace:
      '    this.syncedPosition = sizeBytes\n    this.#onSynced(this.#log.visibleOffset)\n    await this.#disk.sync(active.file)\n',
  },
  {
    name: 'index leads past the batch looked for',
    file: 'core/src/storage/offset-index.ts',
    find: 'if (this.#at(middle * 3) <= offset) low = middle + 1',
    replace: 'if (this.#at(middle * 3) <= offset + 1) low = middle + 1',
  },
  {
    name: 'failed sync tried again',
    file: 'core/src/storage/disk.ts',
    find: '      await file.sync()\n',
    replace: '      await file.sync().catch(() => file.sync())\n',
  },
  {
    name: 'short write taken as full',
    file: 'core/src/storage/transfer.ts',
    find: 'while (written < from.length) {',
    replace: 'while (written < 0) {',
  },
  {
    name: 'position stored before the data it points past is durable',
    file: 'core/src/embedded/embedded-log.ts',
    find: '    await Promise.all(partitions.map((partition) => partition.flush()))\n',
    replace: '',
  },
  {
    name: 'transaction decided before its records are durable',
    file: 'core/src/transactions/coordinator.ts',
    find: '    await Promise.all(Array.from(toSync, (partition) => partition.flush()))\n',
    replace: '',
  },
  {
    name: 'transaction visible before it is decided',
    file: 'core/src/storage/partition-log.ts',
    find: 'Math.min(this.visibleOffset, this.transactions.firstUndecidedOffset)',
    replace: 'this.visibleOffset',
  },
  {
    name: 'decision forgotten before its markers are durable',
    file: 'core/src/transactions/markers.ts',
    find: '    await partition.whenSynced(offset)\n',
    replace: '',
  },
  {
    name: 'producer state lost at a restart',
    file: 'core/src/storage/load-batches.ts',
    find: '        log.producers.note(header, header.baseOffset)\n',
    replace: '',
  },
  {
    name: 'leader epoch not raised at an opening',
    file: 'core/src/embedded/open-embedded.ts',
    find: '(before?.leaderEpoch ?? -1) + 1',
    replace: 'before?.leaderEpoch ?? 0',
  },
  {
    name: 'page cache believed after a failed sync',
    file: 'core/src/storage/recovery.ts',
    find: '    if (from === segment.sizeBytes) return\n',
    replace: '    if (from <= segment.sizeBytes) return\n',
  },
  {
    name: 'part of a refused write left in the file',
    file: 'core/src/storage/segment-writer.ts',
    find: '() => file.truncate(sizeBytes)',
    replace: '() => Promise.resolve()',
  },
  {
    name: 'retention by the time of records',
    file: 'core/src/storage/retention.ts',
    find: 'limits.nowMs - segment.lastAppendMs > limits.retentionMs',
    replace: 'limits.nowMs - 1_000_000_000_000 > limits.retentionMs',
  },
  {
    name: 'read gives up before the batch looked for',
    file: 'core/src/storage/read-batches.ts',
    find: 'else if (this.#at > 0 && this.#nextOffset === this.#request.offset) {',
    replace: 'else if (this.#at < 0) {',
  },
  {
    name: 'retry answered with the epoch of now',
    file: 'core/src/storage/committer.ts',
    find: 'append.isDuplicate ? this.#target.epochAt(append.baseOffset) : leaderEpoch',
    replace: 'leaderEpoch',
  },
  {
    name: 'time over an opening told by the wall clock',
    file: 'core/src/storage/log-clock.ts',
    find: 'if (boot === undefined || last.bootId === undefined) {',
    replace: 'if (boot !== undefined) {',
  },
  {
    name: 'reader beside the owner goes by markers that came after the decisions it knows',
    file: 'core/src/embedded/read-only-partition.ts',
    find: '.filter(({ offset }) => offset < this.#horizon)',
    replace: '.filter(({ offset }) => offset >= 0)',
    firstSeed: 2600,
  },
  {
    name: 'reader beside the owner passes over the snapshot of a compacted journal',
    file: 'core/src/embedded/read-only-topics.ts',
    find: 'this.#journalOffset = log.startOffset',
    replace: 'this.#journalOffset = log.endOffset',
  },
  {
    name: 'commit decided before readers beside the owner can see its records',
    file: 'core/src/transactions/coordinator.ts',
    find: '      await Promise.all(Array.from(toSync, (partition) => partition.watermarkSettled()))\n',
    replace: '',
  },
  {
    name: 'compressed records read from where they lay before',
    file: 'core/src/batch/batch-reader.ts',
    find: '    this.bytes = decompress(header.compression, records, this.#decompressedBytesMax)\n    this.#position = 0\n',
    replace:
      '    this.bytes = decompress(header.compression, records, this.#decompressedBytesMax)\n    this.#position = start\n',
  },
]
