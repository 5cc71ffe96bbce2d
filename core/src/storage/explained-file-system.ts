import { UsageError } from '../errors.ts'
import type { FileSystem } from '../io/index.ts'
import { errnoOf, readFailed } from './transfer.ts'

/**
 * The same file system, whose errors in looking and reading are Millrace's own. Those of changes stay
 * errno errors, for the disk to judge; so does ENOENT, which is an answer.
 */
export function explained(fileSystem: FileSystem): FileSystem {
  return {
    syncsAtOnce: fileSystem.syncsAtOnce,
    open: (path, mode) =>
      mode === 'create' ? fileSystem.open(path, mode) : explain(fileSystem.open(path, mode)),
    list: (directory) => explain(fileSystem.list(directory)),
    stat: (path) => explain(fileSystem.stat(path)),
    makeDirectory: (directory) => fileSystem.makeDirectory(directory),
    rename: (from, to) => fileSystem.rename(from, to),
    remove: (path) => fileSystem.remove(path),
    removeDirectory: (directory) => fileSystem.removeDirectory(directory),
    syncDirectory: (directory) => fileSystem.syncDirectory(directory),
    freeBytes: (path) => explain(fileSystem.freeBytes(path)),
    tryLock: (path) => explain(fileSystem.tryLock(path)),
  }
}

async function explain<Result>(running: Promise<Result>): Promise<Result> {
  try {
    return await running
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw error
    throw isForbidden(error) ? forbidden('look there', error) : readFailed(error)
  }
}

/** Whether the place, not the disk, is unfit for a log. */
export function isForbidden(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR'].includes(errnoOf(error) ?? '')
}

/** The error for a place that this process may not use. */
export function forbidden(step: string, cause: unknown): UsageError {
  const message = cause instanceof Error ? cause.message : String(cause)
  return new UsageError(
    'USAGE',
    `Millrace could not ${step} (${message}). Nothing was changed; give a directory that this user may use.`,
    { cause, facts: { step } },
  )
}
