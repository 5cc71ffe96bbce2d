import { FailedError } from '../errors.ts'
import type { Disk } from './disk.ts'
import { Segment, segmentBaseOffset, segmentFileName } from './segment.ts'
import { errnoOf, writeFully } from './transfer.ts'

/** Ends the name of a file that is about to be removed. */
const DELETED = '.deleted'

/** Whether a name is of a file that is about to be removed. */
export function isDeleted(name: string): boolean {
  return name.endsWith(DELETED)
}

const EXTENSIONS = ['.log', '.index', '.timeindex']

/** Makes the file of a new segment; resolves when its directory entry is durable. */
export async function createSegment(
  disk: Disk,
  directory: string,
  baseOffset: number,
): Promise<Segment> {
  const path = `${directory}/${segmentFileName(baseOffset, '.log')}`
  const file = await disk.attempt(`create ${path}`, () => disk.fileSystem.open(path, 'create'))
  try {
    await disk.syncDirectory(directory)
    return new Segment(baseOffset, path, file)
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * Writes a segment's `.index` and `.timeindex` for Kafka's tools. They are never read back, so a full
 * disk or a lack of files only leaves them out.
 */
export async function writeIndexFiles(
  disk: Disk,
  segment: Segment,
  state: 'sealed' | 'growing',
): Promise<void> {
  const base = segment.path.slice(0, -'.log'.length)
  try {
    await writeCache(disk, `${base}.index`, segment.offsets.encode(), state)
    await writeCache(disk, `${base}.timeindex`, segment.times.encode(), state)
  } catch (error) {
    if (errnoOf(error) === 'EIO' || error instanceof FailedError) throw disk.fail('write', error)
  }
}

/** Whether a sealed segment's index files are there and as long as they should be. */
export async function hasIndexFiles(disk: Disk, segment: Segment): Promise<boolean> {
  const base = segment.path.slice(0, -'.log'.length)
  const offsets = await disk.fileSystem.stat(`${base}.index`)
  const times = await disk.fileSystem.stat(`${base}.timeindex`)
  return (
    offsets?.sizeBytes === segment.offsets.encodedBytes &&
    times?.sizeBytes === segment.times.encodedBytes
  )
}

async function writeCache(
  disk: Disk,
  path: string,
  bytes: Uint8Array,
  state: 'sealed' | 'growing',
): Promise<void> {
  disk.assertUsable()
  const file = await disk.fileSystem.open(path, 'create')
  try {
    await file.truncate(0)
    if (bytes.length > 0) await writeFully(file, bytes, 0)
    // Those of a growing segment are written anew in any case.
    if (state === 'sealed') await disk.sync(file)
  } finally {
    await file.close()
  }
}

/**
 * Deletes the oldest segments of a partition: renamed first, and only removed once the new names are
 * durable, so that a crash in between leaves a log that starts later, never one with a hole.
 */
export async function deleteSegments(
  disk: Disk,
  directory: string,
  baseOffsets: readonly number[],
): Promise<void> {
  if (baseOffsets.length === 0) return
  await disk.attempt('delete segments', async () => {
    const names = new Set(await disk.fileSystem.list(directory))
    for (const baseOffset of baseOffsets) {
      for (const extension of EXTENSIONS) {
        const name = segmentFileName(baseOffset, extension)
        if (!names.has(name)) continue
        await disk.fileSystem.rename(`${directory}/${name}`, `${directory}/${name}${DELETED}`)
      }
    }
  })
  await disk.syncDirectory(directory)
  await removeDeleted(disk, directory)
}

/**
 * Goes on with deletions that a crash interrupted. Whatever lies before a segment that was being deleted
 * was being deleted too, even where the crash lost the new name.
 */
export async function finishDeletions(disk: Disk, directory: string): Promise<void> {
  const names = await disk.fileSystem.list(directory)
  const newestDeleted = names
    .filter((name) => name.endsWith(`.log${DELETED}`))
    .map((name) => segmentBaseOffset(name.slice(0, -DELETED.length)) ?? -1)
    .reduce((newest, base) => Math.max(newest, base), -1)
  if (newestDeleted < 0) return removeDeleted(disk, directory)
  const left = names
    .map(segmentBaseOffset)
    .filter((base) => base !== undefined)
    .filter((base) => base < newestDeleted)
  if (left.length > 0) await deleteSegments(disk, directory, left)
  else await removeDeleted(disk, directory)
}

async function removeDeleted(disk: Disk, directory: string): Promise<void> {
  const names = await disk.fileSystem.list(directory)
  const deleted = names.filter(isDeleted)
  if (deleted.length === 0) return
  // The renames may be seen here before they are durable; a removal must not overtake them.
  await disk.syncDirectory(directory)
  await disk.attempt('remove deleted segments', async () => {
    for (const name of deleted) await disk.fileSystem.remove(`${directory}/${name}`)
  })
}
