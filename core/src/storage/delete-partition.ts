import type { Disk } from './disk.ts'
import { belongsTo, partitionPath } from './partition-directory.ts'

/** Longest name of a directory entry on common file systems. */
const NAME_LENGTH_MAX = 255

/**
 * Renames the directories of a deleted topic out of the way (`<name>-<partition>.<id>-delete`), so that
 * the name is free at once. Only call it for a topic that the registry durably lists as deleted.
 *
 * @returns The directories to remove, those of an earlier attempt included.
 */
export async function renameForDeletion(
  disk: Disk,
  topic: { readonly name: string; readonly topicId: string },
  partitions: readonly number[],
): Promise<string[]> {
  const ends = `.${topic.topicId.replaceAll('-', '')}-delete`
  const paths: string[] = []
  for (const partition of partitions) {
    const from = partitionPath(disk.directory, { topic: topic.name, partition })
    const suffix = `-${partition}${ends}`
    const to = `${disk.directory}/${topic.name.slice(0, NAME_LENGTH_MAX - suffix.length)}${suffix}`
    // After a crash the name may belong to a topic made anew.
    if (await belongsTo(disk, from, topic.topicId)) {
      await disk.attempt('delete a topic', () => disk.fileSystem.rename(from, to))
    }
    if ((await disk.fileSystem.stat(to)) !== undefined) paths.push(to)
  }
  await disk.syncDirectory(disk.directory)
  return paths
}

/** Removes a directory that was renamed for deletion, with the files in it. */
export async function removePartition(disk: Disk, path: string): Promise<void> {
  await disk.attempt(`remove ${path}`, async () => {
    for (const name of await disk.fileSystem.list(path)) {
      await disk.fileSystem.remove(`${path}/${name}`)
    }
    await disk.fileSystem.removeDirectory(path)
  })
  await disk.syncDirectory(disk.directory)
}
