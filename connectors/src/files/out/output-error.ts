import { FailedError, UnavailableError, UsageError } from '@millrace/core'
import { codeOf } from './disk.ts'

/** The error for a name that somebody else's file has. */
export function taken(path: string): UsageError {
  return new UsageError(
    'OUTPUT_EXISTS',
    `${path} is there already, and not from this run of the pipeline. Nothing was written over: move it ` +
      'away, or write to another directory.',
    { facts: { file: path } },
  )
}

/** What the system refused, in words that say what to do; other errors as they are. */
export function outputFailed(root: string, error: unknown): unknown {
  const code = codeOf(error)
  if (code === undefined || !(error instanceof Error) || !('syscall' in error)) return error
  const options = { cause: error, facts: { directory: root, code } }
  const nothing = 'Nothing was published half; the next run goes on from the last published files.'
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new UnavailableError(
        'DISK_FULL',
        `No room to write to ${root} (${code}). ${nothing}`,
        options,
      )
    case 'EIO':
      return new FailedError(
        'OUTPUT_FAILED',
        `The disk failed while writing to ${root} (${error.message}). ${nothing} Check the disk first.`,
        options,
      )
    default:
      return new UsageError(
        'OUTPUT_UNWRITABLE',
        `Files can't be written to ${root} (${error.message}). ${nothing} Correct the path, or the rights on it.`,
        options,
      )
  }
}
