import { dirname, join } from 'node:path'
import type { CommittedFile } from './commit-chain.ts'
import type { OutputDisk } from './disk.ts'
import { taken } from './output-error.ts'

/**
 * Gives the files of a commit their names. Done twice, or by two processes at once, it comes to the
 * same: a part that is gone was renamed before.
 *
 * @throws UsageError OUTPUT_EXISTS somebody else has a file of that name; it stays as it is.
 */
export async function publish(
  disk: OutputDisk,
  root: string,
  parts: string,
  files: readonly CommittedFile[],
): Promise<void> {
  const directories = new Set<string>()
  for (const { part, path } of files) {
    const from = join(parts, part)
    const to = join(root, path)
    directories.add(dirname(to))
    const isTaken = await disk.exists(to)
    if (!(await disk.exists(from))) continue
    if (isTaken) throw taken(to)
    await disk.makeDirectory(dirname(to))
    await disk.rename(from, to)
  }
  for (const directory of directories) {
    // Whoever takes finished files away may take emptied directories too.
    if (await disk.exists(directory)) await disk.syncDirectory(directory)
  }
}
